"""Send damaged pictures through the decoders of a service; count accepted and refused ones.

Each picture comes from a folder, or is generated here, and has bytes changed, cut, repeated or
replaced by those of another. The only valid outcomes are a picture or the error with the reason;
the count of all others (leaks) must be 0.

    python bench/pictures.py --pictures 12000 --seed 1 --folder FOLDER
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

from hybrid_search.core.errors import InvalidPicture
from hybrid_search.core.picture_limits import PictureLimits
from hybrid_search.core.preprocess_spec import PreprocessSpec
from hybrid_search.images.decoder_pool import Decoders

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.mutations import made, mutated

LARGEST = 300_000
"""Maximum bytes of an original. Larger ones take longer to decode and add nothing."""
AHEAD = 64
"""Pictures mutated ahead of decoding."""


@dataclass
class Seen:
    """Outcomes of the pictures."""

    results: Counter[str] = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)
    slowest_ms: float = 0.0
    memory_mb: list[int] = field(default_factory=list)


def main() -> None:
    options = arguments()
    chance = random.Random(options.seed)
    originals = [*made(), *read(options.folder)]
    seen = Seen()
    spec = PreprocessSpec(224, 224)
    decoders = Decoders(PictureLimits(), workers=2, apart=True)
    with ThreadPoolExecutor(2) as pool:
        steps = range(0, options.pictures, AHEAD)
        for start in track(steps, "pictures", console=Console(stderr=True)):
            count = min(AHEAD, options.pictures - start)
            batch = [mutated(chance.choice(originals), originals, chance) for _ in range(count)]
            for _ in pool.map(lambda data: decode(decoders, data, spec, seen), batch):
                pass
            seen.memory_mb.append(memory_mb())
    decoders.close()
    report(seen, options)
    sys.exit(1 if seen.leaks else 0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("../shared/data/odd"))
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def read(folder: Path) -> list[bytes]:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return [path.read_bytes() for path in files if 0 < path.stat().st_size <= LARGEST]


def decode(decoders: Decoders, data: bytes, spec: PreprocessSpec, seen: Seen) -> None:
    began = time.perf_counter()
    try:
        decoders.pixels(data, spec)
        seen.results["taken"] += 1
    except InvalidPicture as refusal:
        seen.results[re.sub(r"\d[\d,.]*", "N", str(refusal))[:60]] += 1
    except BaseException as leak:  # noqa: BLE001  what must not be is counted, and shown
        seen.leaks.append(repr(leak)[:200])
    seen.slowest_ms = max(seen.slowest_ms, (time.perf_counter() - began) * 1000)


def memory_mb() -> int:
    here = psutil.Process(os.getpid())
    return sum(int(p.memory_info().rss) for p in [here, *here.children(recursive=True)]) >> 20


def report(seen: Seen, options: argparse.Namespace) -> None:
    told = {
        "pictures": options.pictures,
        "seed": options.seed,
        "taken": seen.results.pop("taken", 0),
        "refused": sum(seen.results.values()),
        "leaks": len(seen.leaks),
        "slowest_ms": round(seen.slowest_ms, 1),
        "memory_mb": [seen.memory_mb[0], max(seen.memory_mb), seen.memory_mb[-1]],
    }
    if options.json:
        print(json.dumps({**told, "reasons": dict(seen.results), "leaked": seen.leaks}, indent=2))
        return
    table = Table("reason", "pictures", title=json.dumps(told))
    for reason, count in seen.results.most_common(20):
        table.add_row(reason, str(count))
    for leak in seen.leaks:
        table.add_row(leak, "leaked", style="red")
    Console().print(table)


if __name__ == "__main__":
    main()
