"""Compare kinds of vector index by size: build, memory, recall, latency, filters.

Synthetic CLIP-like vectors (clouds.py), the same for all kinds of one size. Every index is written
to a folder and reopened in a separate process, whose memory is that of a server. It is searched
with the smallest breadth that reaches recall .99 on probes that are not among the queries, as after
`hybrid-search rebuild`, or with --breadth. Recall@10 is measured against exact search, separately
for picture and text queries. Times are CPU milliseconds of the searching thread. Indexes are built
on all cores, and the build includes the choice of breadth.

    python bench/vectors.py --vectors 10000 --vectors 100000 --filters hnsw
    python bench/vectors.py --vectors 1000000 --dimension 768 --kinds "hnsw sq8,ivf_rabitq"
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import faiss
import numpy as np
from clouds import Cloud, cloud
from rich.console import Console
from rich.table import Table

from hybrid_search.core import Ordinal
from hybrid_search.core.ports import LiveVectors, Ordinals, Vectors
from hybrid_search.stores.embedded.vector.index import FaissIndex
from hybrid_search.stores.embedded.vector.index_spec import Kind, Storage, VectorPlan

KINDS = ("flat", "hnsw", "hnsw bf16", "hnsw sq8", "ivf", "ivf_pq", "ivf_rabitq")
SHARES = (0.5, 0.1, 0.05, 0.01, 0.001)
TOP, PORTION = 10, 50_000
PROBES = 60
"""Queries of each kind that are reserved for choosing the breadth."""
_GROUPS = Path("/sys/fs/cgroup/memory")

Row = dict[str, object]


def main() -> None:
    options = arguments()
    if options.serve:
        confine(Path(options.serve[0]), options.memory_limit)
        print(json.dumps(served(Path(options.serve[0]), options.serve[1], options.breadth)))
        return
    reports = [of_size(count, options) for count in options.vectors]
    if options.json:
        print(json.dumps(reports, indent=2))
    else:
        for report in reports:
            show(report)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=int, action="append", help="how many; repeatable")
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--queries", type=int, default=300, help="queries of each kind")
    parser.add_argument("--kinds", default=",".join(KINDS), help="comma-separated kinds")
    parser.add_argument("--breadth", type=int, default=0, help="ef_search or nprobe; 0 chooses it")
    parser.add_argument("--filters", metavar="KIND", help="also measure this kind with filters")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--memory-limit", type=int, default=0, help="MB for the searching process (root, cgroup v1)"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.vectors = options.vectors or [10_000, 100_000]
    return options


def of_size(count: int, options: argparse.Namespace) -> dict[str, object]:
    made, probes = apart(cloud(count, options.dimension, options.queries + PROBES, options.seed))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keep_queries(folder, made)
        rows = [of_kind(folder, kind, made, probes, options) for kind in options.kinds.split(",")]
        filtered = list(filters(folder, options.filters, made)) if options.filters else []
    return {"vectors": count, "dimension": options.dimension, "kinds": rows, "filters": filtered}


def apart(made: Cloud) -> tuple[Cloud, list[Vectors]]:
    """Split the queries; return the cloud with the rest, and the probes of both kinds."""
    probes = [made.like_pictures[:PROBES], made.like_texts[:PROBES]]
    names = ("like_pictures", "like_texts", "query_topics")
    return replace(made, **{name: getattr(made, name)[PROBES:] for name in names}), probes


def keep_queries(folder: Path, made: Cloud) -> None:
    for name, queries in (("pictures", made.like_pictures), ("texts", made.like_texts)):
        np.save(folder / f"{name}.npy", queries)
        exact = faiss.knn(queries, made.pictures, TOP, metric=faiss.METRIC_INNER_PRODUCT)[1]
        np.save(folder / f"{name}.exact.npy", exact + 1)


def plan_of(kind: str, breadth: int = 0) -> VectorPlan:
    name, _, storage = kind.partition(" ")
    return VectorPlan(
        kind=cast("Kind", name),  # names are checked where the index is built
        storage=cast("Storage", storage or "f32"),
        min_recall=0.0,
        build_threads=2,
        ef_search=breadth,
        nprobe=breadth,
    )


# -------------------------------------------------------------------------------------- kinds


def of_kind(
    folder: Path, kind: str, made: Cloud, probes: list[Vectors], options: argparse.Namespace
) -> Row:
    wall, cpu = time.perf_counter(), time.process_time()
    index = FaissIndex(made.pictures.shape[1], folder / kind, plan_of(kind, options.breadth))
    built = index.rebuild(everything(made.pictures), probes)
    spent = time.process_time() - cpu, time.perf_counter() - wall
    command = [sys.executable, __file__, "--serve", str(folder / kind), kind]
    command += ["--breadth", str(options.breadth), "--memory-limit", str(options.memory_limit)]
    one = {**os.environ, "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(command, check=True, capture_output=True, text=True, env=one)
    if options.memory_limit:
        (_GROUPS / f"bench-{os.getpid()}").rmdir()
    row: Row = {
        "kind": kind,
        "searched": breadth(built.parameters),
        "build_cpu_s": round(spent[0], 1),
        "build_wall_s": round(spent[1], 1),
        "predicted_mb": round(built.predicted / 1e6, 1),
        "memory_mb": round(built.bytes / 1e6, 1),
        "disk_mb": round(sum(f.stat().st_size for f in (folder / kind).rglob("*.*")) / 1e6, 1),
        **json.loads(answer.stdout),
    }
    print(f"{len(made.pictures):,}: {row}", file=sys.stderr, flush=True)  # progress
    return row


def breadth(parameters: Mapping[str, int | str]) -> str:
    return " ".join(f"{k} {v}" for k, v in parameters.items() if k in {"ef_search", "nprobe"})


def everything(rows: Vectors) -> LiveVectors:
    def portions() -> Iterator[tuple[Ordinals, Vectors]]:
        for start in range(0, len(rows), PORTION):
            part = rows[start : start + PORTION]
            yield np.arange(start + 1, start + 1 + len(part), dtype=np.int64), part

    return LiveVectors(0, len(rows), portions())


def served(folder: Path, kind: str, breadth: int) -> Row:
    """Open an index in this process, search it, and return the measurements."""
    queries = {name: np.load(folder.parent / f"{name}.npy") for name in ("pictures", "texts")}
    exact = {name: np.load(folder.parent / f"{name}.exact.npy") for name in queries}
    before, started = memory(), time.perf_counter()
    index = FaissIndex(queries["texts"].shape[1], folder, plan_of(kind, breadth))
    index.search(queries["texts"][0], TOP)
    row: Row = {"open_ms": round((time.perf_counter() - started) * 1000, 1)}
    for name, asked in queries.items():
        spent, found = timed(index, asked)
        row[f"recall_{name}"] = round(recall(found, exact[name]), 4)
        row[f"p50_{name}"] = round(statistics.median(spent), 3)
        row[f"p99_{name}"] = round(float(np.percentile(spent, 99)), 3)
    after = memory()
    row["anonymous_mb"] = round(after["Anonymous"] - before["Anonymous"], 1)
    row["resident_mb"] = round(after["Rss"] - before["Rss"], 1)
    return row


def confine(folder: Path, limit: int) -> None:
    """Limit the memory of this process in MB, mapped files of the folder included."""
    if not limit:
        return
    group = _GROUPS / f"bench-{os.getppid()}"
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text(str(limit << 20))
    (group / "tasks").write_text(str(os.getpid()))
    for path in folder.rglob("*.*"):
        # Cached pages are charged to the process that read them first, so drop them.
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def timed(index: FaissIndex, queries: Vectors) -> tuple[list[float], list[tuple[Ordinal, ...]]]:
    spent, found = [], []
    for query in queries:
        started = time.thread_time()
        found.append(index.search(query, TOP).ordinals)
        spent.append((time.thread_time() - started) * 1000)
    return spent, found


def recall(found: Sequence[Sequence[int]], exact: Sequence[Sequence[int]]) -> float:
    return statistics.fmean(
        len(set(answer) & set(near)) / len(near) for answer, near in zip(found, exact, strict=True)
    )


def memory() -> dict[str, float]:
    """Return the MB of this process by kind; resident includes mapped pages that were read."""
    lines = Path("/proc/self/smaps_rollup").read_text("ascii").splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines}


# ------------------------------------------------------------------------------------ filters


def filters(folder: Path, kind: str, made: Cloud) -> Iterator[Row]:
    """Yield filtered recall and cost: random filters, and topics other than the query's."""
    index = FaissIndex(made.pictures.shape[1], folder / kind, plan_of(kind))
    chance = np.random.default_rng(1)
    topics = int(made.topics.max()) + 1
    for share in SHARES:
        kept = np.flatnonzero(chance.random(len(made.pictures)) < share)
        yield from of_filter(index, made, f"{share:.1%} by chance", kept)
    for share in (0.6, 0.3, 0.015):
        chosen = chance.permutation(topics)[: max(1, round(topics * share))]
        kept = np.flatnonzero(np.isin(made.topics, chosen))
        yield from of_filter(index, made, f"{share:.1%} of the topics", kept)
        foreign = ~np.isin(made.query_topics, chosen)
        yield from of_filter(index, made, f"{share:.1%} of the topics, others", kept, foreign)


def of_filter(
    index: FaissIndex, made: Cloud, name: str, kept: Ordinals, which: np.ndarray | None = None
) -> Iterator[Row]:
    for kind, queries in (("pictures", made.like_pictures), ("texts", made.like_texts)):
        asked = queries if which is None else queries[which]
        if len(asked):
            yield {"filter": name, "queries": kind, **filtered(index, made, kept, asked)}


def filtered(index: FaissIndex, made: Cloud, kept: Ordinals, asked: Vectors) -> Row:
    allowed, subset = kept + 1, made.pictures[kept]
    exact = faiss.knn(asked, subset, min(TOP, len(kept)), metric=faiss.METRIC_INNER_PRODUCT)[1]
    spent, found, exactly = [], [], 0
    for query in asked:
        started = time.thread_time()
        answer = index.search(query, TOP, allowed)
        spent.append((time.thread_time() - started) * 1000)
        found.append(answer.ordinals)
        exactly += "exact over" in answer.plan
    return {
        "allowed": len(kept),
        "recall": round(recall(found, allowed[exact].tolist()), 4),
        "exactly": f"{exactly / len(asked):.0%}",
        "p50_cpu_ms": round(statistics.median(spent), 3),
        "p99_cpu_ms": round(float(np.percentile(spent, 99)), 3),
    }


# -------------------------------------------------------------------------------------- report


def show(report: dict[str, object]) -> None:
    title = f"{report['vectors']:,} vectors of {report['dimension']} components"
    for rows in (report["kinds"], report["filters"]):
        assert isinstance(rows, list)
        if rows:
            table = Table(title=title, box=None)
            for name in rows[0]:
                table.add_column(name.replace("_", " "), justify="right")
            for row in rows:
                table.add_row(*(str(value) for value in row.values()))
            Console(width=160).print(table)


if __name__ == "__main__":
    main()
