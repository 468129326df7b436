"""Which vector index suits a corpus: recall, time and memory over kinds and parameters, measured.

Each kind is built once from the same vectors and reopened for every breadth. Recall is against
exact search over these, under the same filter and with the same ones dead.
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
"""What is built; ``lsh`` only to be compared with."""
_EF = (32, 64, 128, 256, 512)
_PROBED = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Shares of the lists that are looked into."""
_RERANKED = (4, 10, 30)
"""Candidates a hit that are scored again, where an index keeps codes."""
_SAME = 5e-7
"""Cosines that differ by less are equal: they count to six places."""

Make = Callable[[VectorPlan, Path], VectorIndex]
"""Opens what is sealed in a folder; the plan's breadths count when it is opened."""
Bars = list[tuple[int, float]]
"""For each query, how many exact search finds, and the least cosine among them."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under what is searched."""

    filter_share: float = 1.0
    """The share of the corpus that a filter allows, chosen by chance."""
    tombstones: float = 0.0
    """The share that was deleted since the index was built, chosen by chance."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One index with one breadth, asked one set of queries under one condition."""

    queries: str
    kind: str
    storage: str
    parameters: Mapping[str, int | str]
    filter_share: float
    tombstones: float
    recall: float
    cpu_ms: float
    """Median of the searching thread."""
    cpu_ms_p95: float
    wall_ms: float
    """Median."""
    wall_ms_p95: float
    memory_bytes: int
    predicted_bytes: int
    disk_bytes: int
    build_seconds: float
    build_cpu_seconds: float
    """Of all building threads together."""

    @property
    def setting(self) -> tuple[str, str, tuple[tuple[str, int | str], ...]]:
        """What tells it apart from other indexes and breadths."""
        return self.kind, self.storage, tuple(sorted(self.parameters.items()))


@dataclass(frozen=True, slots=True)
class Lab:
    """A corpus to build indexes from, and queries to ask them."""

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
        told: Callable[[str], None] = lambda name: None,
        passed_over: Callable[[str], None] = lambda name: None,
    ) -> Iterator[Measured]:
        """Every result as it comes; ``told`` hears what is worked on next.

        ``passed_over`` hears of each kind that the corpus is too small for.
        """
        exact = self._built(replace(plan, kind="flat", storage="f32"))
        truths = {c: self._bars(exact.open(), c) for c in conditions}
        for kind, storage in grid:
            told(f"{kind} {storage}")
            tried = replace(plan, kind=kind, storage=storage)
            built = exact if (kind, storage) == ("flat", "f32") else self._built(tried)
            facts = built.open().describe()
            if facts.kind != kind:
                passed_over(f"{kind} {storage}")
                continue
            for searched in _breadths(built.plan, facts.parameters):
                for condition in conditions:
                    if kind != "lsh" or condition == Conditions():
                        yield from self._measured(
                            replace(built, plan=searched), condition, truths[condition]
                        )

    def _built(self, plan: VectorPlan) -> _Built:
        folder = self.folder / f"{plan.kind}-{plan.storage}"
        plan = replace(plan, min_recall=0.0, recall=0.0)
        started, worked = time.perf_counter(), time.process_time()
        self.make(plan, folder).rebuild(self.vectors.live(), [])
        seconds, cpu = time.perf_counter() - started, time.process_time() - worked
        return _Built(self.make, plan, folder, seconds, cpu)

    def _measured(
        self, built: _Built, condition: Conditions, truths: Mapping[str, Bars]
    ) -> Iterator[Measured]:
        index = built.open()
        facts, allowed = index.describe(), self._applied(index, condition)
        for name, queries in self.queries.items():
            times = _timed(index, queries, self.k, allowed)
            recall = _recall(times.scores, truths[name])
            yield _result(name, built, condition, facts, times=times, recall=recall)

    def _bars(self, exact: VectorIndex, condition: Conditions) -> dict[str, Bars]:
        """What must be reached for each set of queries."""
        allowed = self._applied(exact, condition)
        return {
            name: [_bar(exact.search(query, self.k, allowed).scores) for query in queries]
            for name, queries in self.queries.items()
        }

    def _applied(self, index: VectorIndex, condition: Conditions) -> Ordinals | None:
        """Delete what the condition says, the same in every index; what a filter then allows."""
        ordinals = self.vectors.ordinals
        chance = np.random.default_rng(self.seed)
        dead = ordinals[chance.random(len(ordinals)) < condition.tombstones]
        allowed = ordinals[chance.random(len(ordinals)) < condition.filter_share]
        index.remove(map(Ordinal, dead.tolist()))
        return None if condition.filter_share >= 1.0 else allowed


@dataclass(frozen=True, slots=True)
class _Built:
    make: Make
    plan: VectorPlan
    folder: Path
    seconds: float
    cpu_seconds: float

    def open(self) -> VectorIndex:
        return self.make(self.plan, self.folder)


def _breadths(plan: VectorPlan, built: Mapping[str, int | str]) -> Iterator[VectorPlan]:
    """The plan with each breadth that is worth a try."""
    if plan.kind == "hnsw":
        yield from (replace(plan, ef_search=ef) for ef in _EF)
    elif lists := int(built.get("nlist", 0)):
        reranked = _RERANKED if plan.kind in {"ivf_pq", "ivf_rabitq"} else (plan.rerank,)
        for count in sorted({max(1, round(lists * share)) for share in _PROBED}):
            yield from (replace(plan, nprobe=count, rerank=again) for again in reranked)
    else:
        yield plan


@dataclass(frozen=True, slots=True)
class _Times:
    """Milliseconds of each query, and the cosines of what it found."""

    cpu: list[float]
    wall: list[float]
    scores: list[Sequence[float]]


def _timed(index: VectorIndex, queries: Vectors, k: int, allowed: Ordinals | None) -> _Times:
    """What each query took on this thread, after one that does not count."""
    times = _Times([], [], [])
    index.search(queries[0], k, allowed)
    for query in queries:
        started, worked = time.perf_counter(), time.thread_time()
        answer = index.search(query, k, allowed)
        times.cpu.append((time.thread_time() - worked) * 1000)
        times.wall.append((time.perf_counter() - started) * 1000)
        times.scores.append(answer.scores)
    return times


def _result(
    name: str,
    built: _Built,
    condition: Conditions,
    facts: VectorStatus,
    *,
    times: _Times,
    recall: float,
) -> Measured:
    return Measured(
        queries=name,
        kind=built.plan.kind,
        storage=built.plan.storage,
        parameters=facts.parameters,
        **asdict(condition),
        recall=recall,
        cpu_ms=statistics.median(times.cpu),
        cpu_ms_p95=float(np.percentile(times.cpu, 95)),
        wall_ms=statistics.median(times.wall),
        wall_ms_p95=float(np.percentile(times.wall, 95)),
        memory_bytes=facts.bytes,
        predicted_bytes=facts.predicted,
        disk_bytes=facts.disk,
        build_seconds=built.seconds,
        build_cpu_seconds=built.cpu_seconds,
    )


def _bar(scores: Sequence[float]) -> tuple[int, float]:
    return len(scores), min(scores, default=0.0)


def _recall(found: Sequence[Sequence[float]], bars: Bars) -> float:
    """The mean share of the nearest that was found; 1 where nothing can be.

    Equal vectors are equally good answers: one picture often stands in many ads.
    """
    shares = [
        sum(score >= bar - _SAME for score in scores) / count if count else 1.0
        for scores, (count, bar) in zip(found, bars, strict=True)
    ]
    return statistics.fmean(shares)
