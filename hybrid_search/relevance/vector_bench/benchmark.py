"""Recall, latency and memory of vector index kinds and their parameters on one corpus.

Each kind is built once from the same vectors and reopened for every search parameter. Recall is
against exact search over the same vectors, with the same filter and the same deletions.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from hybrid_search.core import Ordinal
from hybrid_search.core.ports import Ordinals, VectorIndex, Vectors, VectorStatus
from hybrid_search.relevance.vector_bench.vectors import Snapshot
from hybrid_search.stores.embedded.vector.index_spec import Kind, Storage, VectorPlan

GRID: tuple[tuple[Kind, Storage], ...] = (
    ("flat", "f32"),
    ("flat", "bf16"),
    ("flat", "sq8"),
    ("hnsw", "f32"),
    ("hnsw", "bf16"),
    ("hnsw", "sq8"),
    ("ivf", "f32"),
    ("ivf_pq", "f32"),
    ("ivf_rabitq", "f32"),
    ("lsh", "f32"),
)
"""The kinds that are built; ``lsh`` serves as a comparison only."""
_EF_SEARCH = (32, 64, 128, 256, 512)
_PROBED = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Shares of the inverted lists that are probed."""
_RERANKED = (4, 10, 30)
"""Candidates per hit that are scored again with exact vectors, for quantized kinds."""
_TOLERANCE = 5e-7
"""Cosines that differ by less are equal."""

Make = Callable[[VectorPlan, Path], VectorIndex]
"""Opens the index in a folder, with the search parameters of the plan."""
Targets = list[tuple[int, float]]
"""For each query, the number of exact hits and the lowest cosine among them."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """Filter and deletions under which the index is searched."""

    filter_share: float = 1.0
    """Share of the corpus that the filter allows, sampled at random."""
    tombstones: float = 0.0
    """Share that was deleted after the build, sampled at random."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One index with one set of search parameters, queries and conditions."""

    queries: str
    kind: str
    storage: str
    parameters: Mapping[str, int | str]
    filter_share: float
    tombstones: float
    recall: float
    cpu_ms: float
    """Median CPU time of the searching thread."""
    cpu_ms_p95: float
    wall_ms: float
    """Median wall time."""
    wall_ms_p95: float
    memory_bytes: int
    predicted_bytes: int
    disk_bytes: int
    build_seconds: float
    build_cpu_seconds: float
    """Over all threads."""

    @property
    def setting(self) -> tuple[str, str, tuple[tuple[str, int | str], ...]]:
        """Kind, storage and parameters: equal for measurements of the same index."""
        return self.kind, self.storage, tuple(sorted(self.parameters.items()))


@dataclass(frozen=True, slots=True)
class VectorBench:
    """The vectors of a corpus, and sets of query vectors."""

    make: Make
    vectors: Snapshot
    folder: Path
    queries: Mapping[str, Vectors]
    k: int = 10
    seed: int = 1

    def run(
        self,
        grid: Sequence[tuple[Kind, Storage]],
        conditions: Sequence[Conditions],
        plan: VectorPlan,
        started: Callable[[str], None] = lambda name: None,
        skipped: Callable[[str], None] = lambda name: None,
    ) -> Iterator[Measurement]:
        """The measurements, kind by kind.

        Calls ``started`` with each kind and storage, and ``skipped`` with those for which the
        corpus is too small.
        """
        exact = self._build(replace(plan, kind="flat", storage="f32"))
        targets = {c: self._targets(exact.open(), c) for c in conditions}
        for kind, storage in grid:
            started(f"{kind} {storage}")
            wanted = replace(plan, kind=kind, storage=storage)
            built = exact if (kind, storage) == ("flat", "f32") else self._build(wanted)
            status = built.open().describe()
            if status.kind != kind:
                skipped(f"{kind} {storage}")
                continue
            for searched in _search_plans(built.plan, status.parameters):
                for condition in conditions if kind != "lsh" else [Conditions()]:
                    own = replace(built, plan=searched)
                    yield from self._measure(own, condition, targets[condition])

    def _build(self, plan: VectorPlan) -> _BuiltIndex:
        folder = self.folder / f"{plan.kind}-{plan.storage}"
        plan = replace(plan, min_recall=0.0, recall=0.0)
        started, cpu_started = time.perf_counter(), time.process_time()
        self.make(plan, folder).rebuild(self.vectors.live(), [])
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu_started
        return _BuiltIndex(self.make, plan, folder, seconds, cpu)

    def _measure(
        self, built: _BuiltIndex, condition: Conditions, targets: Mapping[str, Targets]
    ) -> Iterator[Measurement]:
        index = built.open()
        status, allowed = index.describe(), self._apply(index, condition)
        for name, queries in self.queries.items():
            times = _timed(index, queries, self.k, allowed)
            recall = _recall(times.scores, targets[name])
            yield _measurement(name, built, condition, status, times=times, recall=recall)

    def _targets(self, exact: VectorIndex, condition: Conditions) -> dict[str, Targets]:
        """The exact results for each set of queries."""
        allowed = self._apply(exact, condition)
        return {
            name: [_target(exact.search(query, self.k, allowed).scores) for query in queries]
            for name, queries in self.queries.items()
        }

    def _apply(self, index: VectorIndex, condition: Conditions) -> Ordinals | None:
        """Delete the tombstones, the same in every index; return the filter's ordinals."""
        ordinals = self.vectors.ordinals
        rng = np.random.default_rng(self.seed)
        deleted = ordinals[rng.random(len(ordinals)) < condition.tombstones]
        allowed = ordinals[rng.random(len(ordinals)) < condition.filter_share]
        index.remove(map(Ordinal, deleted.tolist()))
        return None if condition.filter_share >= 1.0 else allowed


@dataclass(frozen=True, slots=True)
class _BuiltIndex:
    make: Make
    plan: VectorPlan
    folder: Path
    seconds: float
    cpu_seconds: float

    def open(self) -> VectorIndex:
        return self.make(self.plan, self.folder)


def _search_plans(plan: VectorPlan, built: Mapping[str, int | str]) -> Iterator[VectorPlan]:
    """The plan with each combination of search parameters to measure."""
    if plan.kind == "hnsw":
        yield from (replace(plan, ef_search=ef) for ef in _EF_SEARCH)
    elif lists := int(built.get("nlist", 0)):
        factors = _RERANKED if plan.kind in {"ivf_pq", "ivf_rabitq"} else (plan.rerank,)
        for count in sorted({max(1, round(lists * share)) for share in _PROBED}):
            yield from (replace(plan, nprobe=count, rerank=factor) for factor in factors)
    else:
        yield plan


@dataclass(frozen=True, slots=True)
class _Times:
    """Milliseconds and cosines of the hits, by query."""

    cpu: list[float]
    wall: list[float]
    scores: list[Sequence[float]]


def _timed(index: VectorIndex, queries: Vectors, k: int, allowed: Ordinals | None) -> _Times:
    """The times of each query, after one warm-up query."""
    times = _Times([], [], [])
    index.search(queries[0], k, allowed)
    for query in queries:
        started, cpu_started = time.perf_counter(), time.thread_time()
        nearest = index.search(query, k, allowed)
        times.cpu.append((time.thread_time() - cpu_started) * 1000)
        times.wall.append((time.perf_counter() - started) * 1000)
        times.scores.append(nearest.scores)
    return times


def _measurement(
    name: str,
    built: _BuiltIndex,
    condition: Conditions,
    status: VectorStatus,
    *,
    times: _Times,
    recall: float,
) -> Measurement:
    return Measurement(
        queries=name,
        kind=built.plan.kind,
        storage=built.plan.storage,
        parameters=status.parameters,
        **asdict(condition),
        recall=recall,
        cpu_ms=statistics.median(times.cpu),
        cpu_ms_p95=float(np.percentile(times.cpu, 95)),
        wall_ms=statistics.median(times.wall),
        wall_ms_p95=float(np.percentile(times.wall, 95)),
        memory_bytes=status.bytes,
        predicted_bytes=status.predicted,
        disk_bytes=status.disk,
        build_seconds=built.seconds,
        build_cpu_seconds=built.cpu_seconds,
    )


def _target(scores: Sequence[float]) -> tuple[int, float]:
    return len(scores), min(scores, default=0.0)


def _recall(found: Sequence[Sequence[float]], targets: Targets) -> float:
    """The mean share of exact neighbours that were found; 1 for a query without any.

    Hits are compared by cosine, not by id: many assets may share one picture.
    """
    shares = [
        sum(score >= lowest - _TOLERANCE for score in scores) / count if count else 1.0
        for scores, (count, lowest) in zip(found, targets, strict=True)
    ]
    return statistics.fmean(shares)
