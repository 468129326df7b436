"""Measure searches while vectors are written and the index is merged and rebuilt.

Threads search synthetic CLIP-like vectors (clouds.py), first without writes, then while a writer
adds, replaces and deletes, the write buffer is merged and the index is rebuilt twice. Every result
must contain the asset whose vector is the query, and no deleted asset. Times are those of single
searches: CPU milliseconds of the searching thread, and wall time, which includes waiting.

    python bench/live.py --vectors 100000 --writes 20000
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from clouds import cloud
from rich.console import Console
from rich.table import Table

from hybrid_search.core import Ordinal
from hybrid_search.core.ports import LiveVectors, Ordinals, Vectors
from hybrid_search.stores.embedded.vector.index import FaissIndex
from hybrid_search.stores.embedded.vector.index_spec import VectorPlan

DIMENSION, THREADS, TOP, STEP, PORTION = 512, 4, 10, 100, 50_000
QUIET_SECONDS = 10.0


@dataclass
class Times:
    """Milliseconds of single searches, misses, and deleted assets that were found."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    missed: int = 0
    """Results without the asset whose vector is the query: a graph is approximate."""
    faults: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, float]:
        rows: dict[str, float] = {"searches": len(self.cpu), "missed": self.missed}
        for name, values in (("cpu", self.cpu), ("wall", self.wall)):
            rows[f"{name}_p50"] = round(float(np.median(values)), 3)
            rows[f"{name}_p99"] = round(float(np.percentile(values, 99)), 3)
            rows[f"{name}_worst"] = round(max(values), 3)
        return rows


@dataclass
class Corpus:
    """The vectors by ordinal - 1, and which are live, deleted, and never changed."""

    rows: Vectors
    kept: int
    """Ordinals up to this one are never deleted: each must be found by its vector."""
    live: set[int] = field(default_factory=set)
    deleted: set[int] = field(default_factory=set)

    def vectors(self) -> LiveVectors:
        ordinals = np.array(sorted(self.live), np.int64)

        def portions() -> Iterator[tuple[Ordinals, Vectors]]:
            for start in range(0, len(ordinals), PORTION):
                part = ordinals[start : start + PORTION]
                yield part, self.rows[part - 1]

        return LiveVectors(0, len(ordinals), portions())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--writes", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = run(options.vectors, options.writes)
    print(json.dumps(report, indent=2)) if options.json else show(report)


def run(count: int, writes: int) -> dict[str, Any]:
    rows = cloud(count + writes, DIMENSION, 10).pictures
    with tempfile.TemporaryDirectory() as folder:
        index = FaissIndex(DIMENSION, Path(folder), VectorPlan(kind="hnsw", fold_after=4096))
        corpus = Corpus(rows, count // 2, set(range(1, count + 1)))
        index.add(np.arange(1, count + 1, dtype=np.int64), rows[:count])
        index.merge()
        quiet, busy = Times(), Times()
        searching(index, corpus, quiet, lambda: time.sleep(QUIET_SECONDS))
        visible: list[float] = []
        searching(index, corpus, busy, lambda: write(index, corpus, writes, visible))
        facts = index.describe()
    median = float(np.median(quiet.cpu))
    return {
        "vectors": count,
        "writes": writes,
        "threads": THREADS,
        "quiet": quiet.summary(),
        "busy": busy.summary(),
        "faults": quiet.faults + busy.faults,
        "worst_cpu_against_quiet_median": round(max(busy.cpu) / median, 1),
        "write_to_found_wall_ms": {
            "p50": round(float(np.median(visible)), 2),
            "worst": round(max(visible), 2),
        },
        "segment": facts.segment,
        "write_buffer": facts.write_buffer,
    }


def searching(
    index: FaissIndex, corpus: Corpus, times: Times, meanwhile: Callable[[], None]
) -> None:
    """Run the searching threads until ``meanwhile`` returns."""
    done = threading.Event()
    threads = [
        threading.Thread(target=search, args=(index, corpus, times, done, place))
        for place in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    meanwhile()
    done.set()
    for thread in threads:
        thread.join()


def search(
    index: FaissIndex, corpus: Corpus, times: Times, done: threading.Event, place: int
) -> None:
    chance = np.random.default_rng(place)
    while not done.is_set():
        own, deleted = int(chance.integers(1, corpus.kept + 1)), set(corpus.deleted)
        wall, cpu = time.perf_counter(), time.thread_time()
        found = index.search(corpus.rows[own - 1], TOP).ordinals
        times.cpu.append((time.thread_time() - cpu) * 1000)
        times.wall.append((time.perf_counter() - wall) * 1000)
        times.missed += own not in found
        if deleted & set(found):
            times.faults.append(f"deleted: {deleted & set(found)}")


def write(index: FaissIndex, corpus: Corpus, writes: int, visible: list[float]) -> None:
    """Add, replace and delete; merge when due; rebuild after one and two thirds."""
    first = len(corpus.live)
    for start in range(first, first + writes, STEP):
        fresh = np.arange(start + 1, start + 1 + STEP, dtype=np.int64)
        started = time.perf_counter()
        index.add(fresh, corpus.rows[start : start + STEP])
        assert Ordinal(start + STEP) in index.search(corpus.rows[start + STEP - 1], TOP).ordinals
        visible.append((time.perf_counter() - started) * 1000)
        gone = set(range(corpus.kept + start - first + 1, corpus.kept + start - first + 1 + STEP))
        index.remove(map(Ordinal, gone))
        corpus.live |= set(fresh.tolist())
        corpus.live -= gone
        corpus.deleted |= gone
        if index.due() == "merge":
            index.merge()
        if start - first in {writes // 3 // STEP * STEP, 2 * writes // 3 // STEP * STEP}:
            index.rebuild(corpus.vectors(), [corpus.rows[:50]])


def show(report: dict[str, Any]) -> None:
    table = Table(title="{vectors:,} vectors, {writes:,} writes".format(**report), box=None)
    rows = {name: report[name] for name in ("quiet", "busy")}
    table.add_column("")
    for name in rows["quiet"]:
        table.add_column(name.replace("_", " "), justify="right")
    for name, values in rows.items():
        table.add_row(name, *(str(value) for value in values.values()))
    console = Console(width=130)
    console.print(table)
    for name in ("worst_cpu_against_quiet_median", "write_to_found_wall_ms", "faults"):
        console.print(f"{name.replace('_', ' ')}: {report[name]}")


if __name__ == "__main__":
    main()
