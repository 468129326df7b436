"""Compare this project with zvec, Qdrant Edge and LanceDB on the same work in one process.

The same synthetic ads and CLIP-like vectors for all; queries in shuffled blocks after a warm-up
pass. All engines use one thread. Times are CPU times of the whole process around a block, because
some engines work in their own threads. Each is searched with the smallest breadth (ef) that reaches
the required recall. Reopening is measured in separate processes with files in the page cache.

    pip install bm25s zvec qdrant-edge-py lancedb
    python bench/peers.py --assets 100000
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path

# The libraries read these when they are loaded. With one thread for reads (LANCE_IO_THREADS)
# Lance would wait forever.
os.environ.update(
    OMP_NUM_THREADS="1",
    OPENBLAS_NUM_THREADS="1",
    RAYON_NUM_THREADS="1",
    TOKIO_WORKER_THREADS="1",
    LANCE_CPU_THREADS="1",
    LANCEDB_LOG="error",
)

import numpy as np
from clouds import Cloud, Rows, cloud
from lexical import corpus, questions
from peer_engines import DIMENSION, ENGINES, Engine, Spent
from rich.console import Console
from rich.progress import track
from rich.table import Table

BREADTHS = (32, 64, 96, 128, 192, 256, 384, 512, 768)
TOP, BLOCK, ROUNDS, REOPENINGS = 10, 20, 3, 3

Ask = Callable[[], list[int]]


@dataclass(frozen=True)
class Work:
    """The assets and queries for every engine."""

    texts: list[str]
    cloud: Cloud
    keywords: list[str]
    phrases: list[str]
    near_pictures: list[set[int]]
    """Exact neighbours of the picture queries."""
    near_texts: list[set[int]]

    @classmethod
    def of(cls, assets: int, queries: int, seed: int) -> Work:
        texts, made = corpus(assets, seed), cloud(assets, DIMENSION, queries, seed)
        asked = questions(texts, queries, seed)
        exact = [_nearest(rows, made.pictures) for rows in (made.like_pictures, made.like_texts)]
        return cls(texts, made, asked["keyword"], asked["phrase"], *exact)


@dataclass
class Built:
    """A built engine with its measurements."""

    engine: Engine
    folder: Path
    spent: Spent
    recalls: dict[str, float] = field(default_factory=dict)


@dataclass
class Sample:
    """Mean milliseconds a query of each block, and the number of results."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    found: list[int] = field(default_factory=list)

    def take(self, asks: Sequence[Ask]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        answers = [ask() for ask in asks]
        self.cpu.append((time.process_time() - cpu) * 1000 / len(asks))
        self.wall.append((time.perf_counter() - wall) * 1000 / len(asks))
        self.found += map(len, answers)


def main() -> None:
    options = arguments()
    if options.reopen:
        print(json.dumps(reopened(*options.reopen)))
        return
    report = run(options)
    print(json.dumps(report, indent=2)) if options.json else show(report)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=300, help="queries of each kind")
    parser.add_argument(
        "--engines",
        default=",".join(ENGINES),
        help="comma-separated names; the first is the reference",
    )
    parser.add_argument("--floor", type=float, default=0.985, help="required R@10 for text queries")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--reopen", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.engines = options.engines.split(",")
    if unknown := set(options.engines) - set(ENGINES):
        parser.error(f"unknown engine: {', '.join(sorted(unknown))}")
    return options


def run(options: argparse.Namespace) -> dict[str, object]:
    work = Work.of(options.assets, options.queries, options.seed)
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "query.npy", work.cloud.like_texts[0])
        names = track(options.engines, "building", console=Console(stderr=True))
        engines = [built(name, Path(folder), work) for name in names]
        tune(engines, work, options.floor)
        kinds = measure(engines, work, random.Random(options.seed))
        facts = [facts_of(each) for each in engines]
    return {
        "assets": options.assets,
        "queries": options.queries,
        "cores": os.cpu_count(),
        "engines": facts,
        "kinds": kinds,
    }


def built(name: str, folder: Path, work: Work) -> Built:
    engine = ENGINES[name]()
    spent = engine.build(folder / name, work.texts, work.cloud.pictures)
    return Built(engine, folder / name, spent)


# ------------------------------------------------------------------------------------- recall


def tune(engines: Sequence[Built], work: Work, floor: float) -> None:
    """Set the smallest breadth that reaches the recall; otherwise the largest breadth."""
    for each in engines:
        reached: dict[int, float] = {}
        for breadth in BREADTHS:
            each.engine.breadth = breadth
            reached[breadth] = recall_for_texts(each.engine, work)
            if reached[breadth] >= floor:
                break
        each.engine.breadth = max(reached, key=lambda breadth: (reached[breadth], -breadth))
        near = recall(each.engine, work.cloud.like_pictures, work.near_pictures)
        each.recalls = {"pictures": near, "texts": recall_for_texts(each.engine, work)}


def recall_for_texts(engine: Engine, work: Work) -> float:
    return recall(engine, work.cloud.like_texts, work.near_texts)


def recall(engine: Engine, queries: Rows, exact: Sequence[set[int]]) -> float:
    found = (engine.vector(query, TOP) for query in queries)
    return statistics.fmean(
        len(near.intersection(answer)) / TOP for answer, near in zip(found, exact, strict=True)
    )


def _nearest(queries: Rows, pictures: Rows) -> list[set[int]]:
    near = np.argpartition(queries @ pictures.T, -TOP)[:, -TOP:] + 1
    return [set(row) for row in near.tolist()]


# --------------------------------------------------------------------------------------- cost


def questions_to(engine: Engine, work: Work) -> dict[str, list[Ask]]:
    pairs = list(zip(work.keywords, work.cloud.like_texts, strict=True))
    return {
        "vector, like a picture": [
            partial(engine.vector, v, TOP) for v in work.cloud.like_pictures
        ],
        "vector, like a text": [partial(engine.vector, v, TOP) for v in work.cloud.like_texts],
        "keyword": [partial(engine.keyword, word, TOP) for word in work.keywords],
        "phrase": [partial(engine.phrase, phrase, TOP) for phrase in work.phrases],
        "hybrid": [partial(engine.hybrid, word, v, TOP) for word, v in pairs],
        "hybrid, fused here": [partial(engine.fused, word, v, TOP) for word, v in pairs],
    }


def measure(engines: Sequence[Built], work: Work, chance: random.Random) -> list[dict[str, object]]:
    """Return rows by kind and engine, measured in shuffled blocks after a warm-up pass."""
    samples: dict[tuple[str, str], Sample] = {}
    blocks = [
        (kind, each.engine.name, asks[first : first + BLOCK])
        for each in engines
        for kind, asks in questions_to(each.engine, work).items()
        for first in range(0, len(asks), BLOCK)
    ]
    for timed in (False, *[True] * ROUNDS):
        chance.shuffle(blocks)
        for kind, name, asks in blocks:
            sample = samples.setdefault((kind, name), Sample()) if timed else Sample()
            sample.take(asks)
    first = engines[0].engine
    return [
        row(kind, each.engine.name, samples[kind, each.engine.name], samples[kind, first.name])
        for kind in questions_to(first, work)
        for each in engines
    ]


def row(kind: str, name: str, sample: Sample, against: Sample) -> dict[str, object]:
    cpu, bar = statistics.median(sample.cpu), statistics.median(against.cpu)
    return {
        "kind": kind,
        "engine": name,
        "p50_cpu_ms": round(cpu, 3),
        "mean_cpu_ms": round(statistics.fmean(sample.cpu), 3),
        "p50_ratio": round(cpu / bar, 2),
        "p50_wall_ms": round(statistics.median(sample.wall), 3),
        "answers": round(statistics.fmean(sample.found), 1),
    }


# ---------------------------------------------------------------------------------- reopening


def facts_of(each: Built) -> dict[str, object]:
    """Return recall, build times and reopening times of the engine, and close it."""
    each.engine.close()
    return {
        "engine": each.engine.name,
        "version": version(each.engine.package),
        "breadth": each.engine.breadth,
        "recall": {of: round(value, 4) for of, value in each.recalls.items()},
        "build_cpu_seconds": {part: round(spent, 2) for part, spent in each.spent.items()},
        "reopening": reopening(each),
        "disk_mb": round(megabytes_on_disk(each.folder), 1),
    }


def reopening(each: Built) -> dict[str, float]:
    """Return the medians over several new processes."""
    command = [sys.executable, __file__, "--reopen", each.engine.name, str(each.folder)]
    command.append(str(each.engine.breadth))
    answers = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(REOPENINGS)
    ]
    return {
        fact: round(statistics.median(answer[fact] for answer in answers), 1) for fact in answers[0]
    }


def reopened(name: str, folder: str, breadth: str) -> dict[str, float]:
    """Measure from opening to the first result, in this new process."""
    engine, query = ENGINES[name](), np.load(Path(folder).parent / "query.npy")
    engine.breadth = int(breadth)
    memory, cpu, wall = anonymous_megabytes(), time.process_time(), time.perf_counter()
    engine.open(Path(folder))
    engine.vector(query, TOP)
    return {
        "wall_ms": (time.perf_counter() - wall) * 1000,
        "cpu_ms": (time.process_time() - cpu) * 1000,
        "anonymous_mb": anonymous_megabytes() - memory,
    }


def anonymous_megabytes() -> float:
    lines = Path("/proc/self/smaps_rollup").read_text("ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1024


def megabytes_on_disk(folder: Path) -> float:
    """Return allocated blocks in MB: some files are sparse."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file()) / 2**20


# -------------------------------------------------------------------------------------- report


def show(report: dict[str, object]) -> None:
    facts, kinds = report["engines"], report["kinds"]
    assert isinstance(facts, list)
    assert isinstance(kinds, list)
    title = "{assets:,} assets, {queries} queries a kind, {cores} cores".format(**report)
    print_table(title, kinds, left={"kind", "engine"})
    print_table("the engines", [flat(fact) for fact in facts], left={"engine", "build, CPU s"})


def flat(fact: dict[str, object]) -> dict[str, object]:
    recalls, spent, again = fact["recall"], fact["build_cpu_seconds"], fact["reopening"]
    assert isinstance(recalls, dict)
    assert isinstance(spent, dict)
    assert isinstance(again, dict)
    return {
        "engine": f"{fact['engine']} {fact['version']}",
        "ef": fact["breadth"],
        "R@10 pictures": recalls["pictures"],
        "R@10 texts": recalls["texts"],
        "build, CPU s": ", ".join(f"{part} {seconds}" for part, seconds in spent.items()),
        "all": round(sum(spent.values()), 1),
        "reopen ms": again["wall_ms"],
        "CPU ms": again["cpu_ms"],
        "anon. MB": again["anonymous_mb"],
        "disk MB": fact["disk_mb"],
    }


def print_table(title: str, rows: list[dict[str, object]], left: set[str]) -> None:
    table = Table(title=title, box=None)
    for name in rows[0]:
        table.add_column(name, justify="left" if name in left else "right")
    for values in rows:
        table.add_row(*(str(value) for value in values.values()))
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
