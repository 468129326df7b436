"""One changed byte anywhere in a data folder, many times: found, mended, and the answers the same.

Each round copies a small index that holds one of every kind of file, changes a byte at random,
and opens it to write. In an index's file the damage must be found, the answers must equal those
of before, and nothing may be embedded. In the catalog what is read must be what was written, or
an error.

    python bench/flips.py --flips 300 --seed 1
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import track

from hybrid_search.adapters.clip_embedder import ClipEmbedder
from hybrid_search.assembly import open_engine
from hybrid_search.config import load_settings
from hybrid_search.errors import SearchError

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.reliability.damage import answers, filled, flip, index_files

WRONG = {"unnoticed", "other answers", "a picture was embedded", "read wrongly"}


def main() -> None:
    options = arguments()
    chance = random.Random(options.seed)
    seen: Counter[str] = Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = filled(folder / "data", folder / "ads").data_dir
        with open_engine(load_settings(data), write=True) as engine:
            before = answers(engine)
            versions = engine.catalog.fetch(engine.catalog.newest(100))
        files = [*index_files(data), data / "catalog.sqlite"]
        forbid_embedding(seen)
        for number in track(range(options.flips), "flips", console=Console(stderr=True)):
            copy = folder / "copy"
            shutil.copytree(data, copy)
            # As many in the catalog as in all the files of the indexes.
            path = files[-1] if number % 2 else chance.choice(files[:-1])
            damaged = copy / path.relative_to(data)
            flip(damaged, chance.randrange(damaged.stat().st_size))
            began = time.perf_counter()
            told = in_catalog(copy, versions) if number % 2 else in_index(copy, before)
            slowest = max(slowest, time.perf_counter() - began)
            seen[f"{'catalog' if number % 2 else 'index'}: {told}"] += 1
            if told in WRONG:
                Console(stderr=True).print(f"{told}: {path}")
            shutil.rmtree(copy)
    report = {"flips": options.flips, "seed": options.seed, "slowest_s": round(slowest, 2)}
    print(json.dumps({**report, "seen": dict(sorted(seen.items()))}, indent=2))
    sys.exit(any(name.partition(": ")[2] in WRONG for name in seen))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def forbid_embedding(seen: Counter[str]) -> None:
    def pictures(*_: object) -> None:
        seen["index: a picture was embedded"] += 1
        raise AssertionError("a picture was embedded")

    for name in ("pictures", "pixels"):
        setattr(ClipEmbedder, name, pictures)


def in_index(data: Path, before: object) -> str:
    try:
        with open_engine(load_settings(data), write=True) as engine:
            if not engine.repairs:
                return "unnoticed"
            return "mended" if answers(engine) == before else "other answers"
    except SearchError as failure:
        return f"refused, {type(failure).__name__}"


def in_catalog(data: Path, versions: dict[object, object]) -> str:
    try:
        with open_engine(load_settings(data), background=True) as engine:
            for ordinal, stored in versions.items():
                if engine.catalog.fetch([ordinal]).get(ordinal) not in (stored, None):  # type: ignore[list-item,call-overload]
                    return "read wrongly"
            health = engine.catalog.health
            return "reported" if health.malformed() or health.damaged() else "of no effect"
    except SearchError:
        return "refused"


if __name__ == "__main__":
    main()
