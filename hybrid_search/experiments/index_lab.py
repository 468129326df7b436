"""Which vector index suits a corpus: recall, time and memory over kinds and parameters, measured.

Each kind is built once from the catalog's vectors and reopened for every breadth. Recall is
against exact search over the same vectors, under the same filter and with the same ones dead.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from hybrid_search.ports import LiveVectors, Ordinals, VectorIndex, Vectors
from hybrid_search.records import Ordinal
from hybrid_search.vector_plans import Kind, Storage, VectorPlan

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
_PROBED = (1 / 32, 1 / 16, 1 / 8, 1 / 4)
"""Shares of the lists that are looked into."""

Make = Callable[[VectorPlan, Path], VectorIndex]
"""Opens what is sealed in a folder; the plan's breadths count when it is opened."""
Read = Callable[[], AbstractContextManager[LiveVectors]]


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
    memory_bytes: int
    predicted_bytes: int
    disk_bytes: int
    build_seconds: float

    @property
    def setting(self) -> tuple[str, str, tuple[tuple[str, int | str], ...]]:
        """What tells it apart from other indexes and breadths."""
        return self.kind, self.storage, tuple(sorted(self.parameters.items()))


@dataclass(frozen=True, slots=True)
class Choice:
    """The cheapest index that finds enough, or that none does."""

    queries: str
    """The set of queries it is for, or ``all``."""
    recall_wanted: float
    found: Measured | None
    """Of the sets it is for, the slowest measurement."""


@dataclass(frozen=True, slots=True)
class Lab:
    """A corpus to build indexes from, and queries to ask them."""

    make: Make
    read: Read
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
    ) -> Iterator[Measured]:
        """Every result as it comes; ``told`` hears what is worked on next.

        A kind that the corpus is too small for is passed over.
        """
        exact = self._built(replace(plan, kind="flat", storage="f32"))
        truths = {c: self._answers(exact.open(), c) for c in conditions}
        for kind, storage in grid:
            told(f"{kind} {storage}")
            built = self._built(replace(plan, kind=kind, storage=storage))
            if built.open().describe().kind != kind:
                continue
            for tried in _breadths(built.plan, built.open().describe().parameters):
                for condition in conditions:
                    if kind != "lsh" or condition == Conditions():
                        yield from self._measured(replace(built, plan=tried), condition, truths)

    def _built(self, plan: VectorPlan) -> _Built:
        folder = self.folder / f"{plan.kind}-{plan.storage}"
        plan = replace(plan, min_recall=0.0, recall=0.0)
        seconds = 0.0
        if not folder.exists():
            with self.read() as live:
                nothing = np.empty((0, 0), np.float32)
                seconds = self.make(plan, folder).rebuild(live, nothing).seconds
        return _Built(self.make, plan, folder, seconds)

    def _measured(
        self,
        built: _Built,
        condition: Conditions,
        truths: Mapping[Conditions, Mapping[str, list[frozenset[Ordinal]]]],
    ) -> Iterator[Measured]:
        index = built.open()
        facts, allowed = index.describe(), self._applied(index, condition)
        for name, queries in self.queries.items():
            cpu, wall, found = _timed(index, queries, self.k, allowed)
            yield Measured(
                queries=name,
                kind=built.plan.kind,
                storage=built.plan.storage,
                parameters=facts.parameters,
                **asdict(condition),
                recall=_recall(found, truths[condition][name]),
                cpu_ms=statistics.median(cpu),
                cpu_ms_p95=float(np.percentile(cpu, 95)),
                wall_ms=statistics.median(wall),
                memory_bytes=facts.bytes,
                predicted_bytes=facts.predicted,
                disk_bytes=facts.disk,
                build_seconds=built.seconds,
            )

    def _answers(
        self, exact: VectorIndex, condition: Conditions
    ) -> dict[str, list[frozenset[Ordinal]]]:
        """The exact answers to each set of queries."""
        allowed = self._applied(exact, condition)
        return {
            name: [frozenset(exact.search(query, self.k, allowed).ordinals) for query in queries]
            for name, queries in self.queries.items()
        }

    def _applied(self, index: VectorIndex, condition: Conditions) -> Ordinals | None:
        """Delete what the condition says, the same in every index; what a filter then allows."""
        with self.read() as live:
            ordinals = np.concatenate([np.empty(0, np.int64), *(some for some, _ in live.portions)])
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

    def open(self) -> VectorIndex:
        return self.make(self.plan, self.folder)


def _breadths(plan: VectorPlan, built: Mapping[str, int | str]) -> Iterator[VectorPlan]:
    """The plan with each breadth that is worth a try."""
    if plan.kind == "hnsw":
        yield from (replace(plan, ef_search=ef) for ef in _EF)
    elif lists := int(built.get("nlist", 0)):
        probed = sorted({max(1, round(lists * share)) for share in _PROBED})
        yield from (replace(plan, nprobe=count) for count in probed)
    else:
        yield plan


def _timed(
    index: VectorIndex, queries: Vectors, k: int, allowed: Ordinals | None
) -> tuple[list[float], list[float], list[Sequence[Ordinal]]]:
    """Milliseconds of CPU and of wall time for each query, and the answers."""
    cpu: list[float] = []
    wall: list[float] = []
    found: list[Sequence[Ordinal]] = []
    index.search(queries[0], k, allowed)
    for query in queries:
        started, worked = time.perf_counter(), time.thread_time()
        answer = index.search(query, k, allowed)
        cpu.append((time.thread_time() - worked) * 1000)
        wall.append((time.perf_counter() - started) * 1000)
        found.append(answer.ordinals)
    return cpu, wall, found


def _recall(found: Sequence[Sequence[Ordinal]], exact: Sequence[frozenset[Ordinal]]) -> float:
    """The mean share of the exact answer that was found; 1 where nothing can be."""
    shares = [
        len(near.intersection(answer)) / len(near) if near else 1.0
        for answer, near in zip(found, exact, strict=True)
    ]
    return statistics.fmean(shares)


def choose(
    results: Sequence[Measured], recall: float, memory_bytes: int | None = None
) -> list[Choice]:
    """For each set of queries, and for all of them, the cheapest that finds enough and fits.

    Only what is measured without filters and tombstones counts, and what can be served.
    """
    plain = [r for r in results if (r.filter_share, r.tombstones) == (1.0, 0.0)]
    served = [r for r in plain if r.kind != "lsh"]
    fits = [r for r in served if memory_bytes is None or r.memory_bytes <= memory_bytes]
    names = list(dict.fromkeys(r.queries for r in fits))
    choices = []
    for name in (*names, "all") if len(names) > 1 else names:
        wanted = set(names) if name == "all" else {name}
        choices.append(Choice(name, recall, _cheapest(fits, wanted, recall)))
    return choices


def _cheapest(results: Sequence[Measured], wanted: set[str], recall: float) -> Measured | None:
    groups: dict[object, list[Measured]] = {}
    for result in results:
        if result.queries in wanted and result.recall >= recall:
            groups.setdefault(result.setting, []).append(result)
    enough = [group for group in groups.values() if {r.queries for r in group} == wanted]
    slowest = [max(group, key=lambda r: r.cpu_ms) for group in enough]
    return min(slowest, key=lambda r: (r.cpu_ms, r.memory_bytes), default=None)


def as_settings(choice: Choice) -> str:
    """The choice as a section of the settings, ready to be pasted."""
    found = choice.found
    if found is None:
        return f'# no index reaches recall {choice.recall_wanted}; kind = "flat" is exact\n'
    figures = f"recall {found.recall:.3f}, {found.cpu_ms:.2f} ms CPU a query"
    memory = f"{found.memory_bytes / 1e6:,.1f} MB"
    lines = [f"# {figures}, {memory}", "[vector]", f'kind = "{found.kind}"']
    for name, value in found.parameters.items():
        lines.append(f"{name} = {value}" if isinstance(value, int) else f'{name} = "{value}"')
    return "\n".join(lines) + "\n"
