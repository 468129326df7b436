"""Generations are published while searches run: every answer is whole, none fails.

A reader follows, as a service does, and is asked by several threads, while generations are built
aside and published one after another. The content does not change, so an answer that differs
would be one from half a generation, or from two.

    python bench/swaps.py --swaps 50 --queries 10000
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from itertools import cycle
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from hybrid_search.assembly import Engine, open_engine
from hybrid_search.config import load_settings
from hybrid_search.rebuilding import rebuild

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.reliability.damage import QUERIES, answers, filled

THREADS = 3
Answers = list[list[tuple[str, float]]]


def main() -> None:
    options = arguments()
    seen: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        settings = filled(Path(name) / "data", Path(name) / "ads")
        with open_engine(load_settings(settings.data_dir), background=True) as engine:
            before = answers(engine)
            ending = threading.Event()
            threads = [
                threading.Thread(target=ask, args=(engine, before, seen, ending))
                for _ in range(THREADS)
            ]
            began = time.perf_counter()
            for thread in threads:
                thread.start()
            generations = publish(settings.data_dir, engine, options.swaps)
            while seen.total() < options.queries:
                time.sleep(0.05)
            ending.set()
            for thread in threads:
                thread.join()
    seconds = round(time.perf_counter() - began, 1)
    report = {"published": options.swaps, "served": len(generations), "seconds": seconds}
    print(json.dumps({**report, "answers": dict(seen)}, indent=2))
    sys.exit(set(seen) != {"right"} or len(generations) < options.swaps)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--swaps", type=int, default=50)
    parser.add_argument("--queries", type=int, default=10_000)
    return parser.parse_args()


def ask(engine: Engine, before: Answers, seen: Counter[str], ending: threading.Event) -> None:
    for number in cycle(range(len(QUERIES))):
        if ending.is_set():
            return
        try:
            found = engine.searcher.search(QUERIES[number]).hits
        except Exception as failure:  # noqa: BLE001  what must not be is counted
            seen[repr(failure)[:100]] += 1
            continue
        same = [(hit.stored.asset.id, round(hit.score, 6)) for hit in found] == before[number]
        seen["right" if same else "other"] += 1


def publish(data: Path, engine: Engine, swaps: int) -> set[str]:
    """The generations that the reader has served, one after another."""
    served = set()
    with Progress(console=Console(stderr=True)) as progress:
        for _ in progress.track(range(swaps), description="swaps"):
            before = engine.generation
            rebuild(load_settings(data))
            deadline = time.monotonic() + 60
            while engine.generation == before and time.monotonic() < deadline:
                time.sleep(0.02)
            served.add(engine.generation)
    return served


if __name__ == "__main__":
    main()
