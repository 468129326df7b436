"""Publish generations under load and check that every result comes from one generation.

Two models alternate: each time a generation is built, published and loaded. Meanwhile threads of
the writing process and of a read-only process send text and picture queries, to which the two
models give different results. A result that matches neither model, or an error, is wrong.

    python bench/swaps.py --swaps 50 --queries 10000
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1]))
from hybrid_search.engine.factory import open_engine
from hybrid_search.settings.settings import load_settings
from tests.reliability.swapping import Asking, Prepared, prepared, swap


def main() -> None:
    options = arguments()
    if options.reader:
        return read_along(options.reader)
    logging.disable()
    with tempfile.TemporaryDirectory() as scratch:
        report = measured(prepared(Path(scratch)), options.swaps, options.queries)
    print(json.dumps(report)) if options.json else Console().print(report)
    both = report["writer"], report["reader"]
    sys.exit(any(part["wrong"] or min(part["of each model"]) == 0 for part in both))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--swaps", type=int, default=50)
    parser.add_argument("--queries", type=int, default=10_000, help="minimum, in the writer")
    parser.add_argument("--reader", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def measured(base: Prepared, swaps: int, queries: int) -> dict[str, Any]:
    """Return the number of searches and errors of both processes."""
    began, served = time.monotonic(), set[str]()
    with (
        open_engine(base.settings, write=True, maintenance="thread") as engine,
        reading_along(base) as reader,
        Asking(engine, base.allowed) as asking,
    ):
        for number in range(swaps):
            served.add(swap(engine, base, number))
        asking.wait_for(queries)
    return {
        "generations": len(served),
        "seconds": round(time.monotonic() - began),
        "writer": told(asking),
        "reader": reader,
    }


def told(asking: Asking) -> dict[str, Any]:
    return {
        "queries": asking.asked,
        "of each model": asking.by_model,
        "wrong": len(asking.wrong),
        "as": asking.wrong[:3],
    }


@contextmanager
def reading_along(base: Prepared) -> Iterator[dict[str, Any]]:
    """Run a searching process while the context lasts; its report is filled in at the end."""
    found: dict[str, Any] = {}
    data = base.settings.data_dir
    (data.parent / "allowed.json").write_text(json.dumps(base.allowed))
    command = [sys.executable, __file__, "--reader", str(data)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        yield found
        found |= json.loads(reader.communicate("")[0])


def read_along(data: Path) -> None:
    """Search until standard input ends."""
    allowed = json.loads((data.parent / "allowed.json").read_text())
    with open_engine(load_settings(data), maintenance="thread") as engine:
        print("ready", flush=True)
        with Asking(engine, allowed, threads=1) as asking:
            sys.stdin.read()
    print(json.dumps(told(asking)))


if __name__ == "__main__":
    main()
