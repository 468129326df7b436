"""Freed memory is kept while batches are embedded, and returned afterwards."""

import json
import subprocess
import sys

import pytest

KEPT = """
import json
import numpy as np
import resource
import psutil
from hybrid_search.embedding.malloc import give_back, keep_freed

def held():
    return psutil.Process().memory_info().rss >> 20

def batch():
    # In pieces, as a model's layers take it.
    pieces = [np.ones(1 << 20) for _ in range(40)]
    del pieces

keep_freed()
batch()
kept = held()

before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
batch()
again = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
give_back()
given = held()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
batch()
usual = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(json.dumps({"kept": kept, "again": again, "given": given, "usual": usual}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs glibc")
def test_freed_memory_is_kept_between_batches_and_then_returned() -> None:
    done = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    # 320 MB in pages of 4 kB: the second batch reuses those of the first.
    assert told["again"] < 2_000
    assert told["usual"] > 10_000
    assert told["given"] < told["kept"] - 250
