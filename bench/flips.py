"""Flip single bytes and check that each is repaired or reported and no search result is wrong.

A small index with files of every kind is created and closed. In a copy of it one byte changes, at
a random place of a random file: every third time of the catalog, otherwise of any file of the
generation. Then the index is opened twice and searched. Nothing may be embedded again.

    python bench/flips.py --flips 300
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1]))
from hybrid_search.engine.factory import open_engine
from hybrid_search.stores.embedded.data_folder import CATALOG
from tests.reliability.damage import answers, filled
from tests.reliability.flipping import SearchResult, fate_of, index_files, no_embedding


def main() -> None:
    options = arguments()
    logging.disable()  # each repair is a warning
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "data"
        with open_engine(filled(data, Path(scratch) / "ads"), write=True) as engine:
            before = answers(engine)
        with no_embedding() as embedding:
            fates = flipped(data, before, options.flips, random.Random(options.seed))
    report = {"flips": options.flips, **dict(sorted(fates.items()))}
    report |= {"encoder calls": embedding.call_count}
    print(json.dumps(report)) if options.json else Console().print(report)
    unnoticed = fates["index: unused"] + fates["index: told by verify"]
    sys.exit(any("WRONG" in name for name in fates) or unnoticed + embedding.call_count > 0)


def flipped(
    data: Path, before: list[SearchResult], flips: int, chance: random.Random
) -> Counter[str]:
    """Count the outcomes of flipped bytes, for the catalog and the indexes."""
    files, fates = index_files(data), Counter[str]()
    for number in range(flips):
        path = data / CATALOG if number % 3 == 0 else chance.choice(files)
        place = chance.randrange(path.stat().st_size)
        fate = fate_of(data, before, path, place)
        fates[f"{'index' if number % 3 else 'catalog'}: {fate}"] += 1
        if fate == "WRONG":
            print(f"wrong after byte {place} of {path.relative_to(data)}", file=sys.stderr)
    return fates


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
