"""Which index holds so many vectors: kinds, their parameters, what memory they take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

from hybrid_search.core.errors import InvalidConfig

Kind = Literal["flat", "hnsw", "ivf", "ivf_pq", "ivf_rabitq", "lsh"]
"""``lsh`` is a baseline to measure against; it is never served."""
Storage = Literal["f32", "bf16", "sq8"]
"""How ``flat``, ``hnsw`` and ``ivf`` keep a component: 32 bits, 16, or 8."""

BITS: Mapping[Storage, int] = {"f32": 32, "bf16": 16, "sq8": 8}
_STORED: tuple[Storage, ...] = ("bf16", "sq8")
"""How ``auto`` keeps a graph: 16 bits, scored again, find what 32 find, in less time."""
_GRAPH_LIMIT = 500_000
"""Beyond so many vectors a graph must be walked so widely for texts that short codes are faster."""
_BREADTHS = (64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
"""Values of ``ef_search`` to choose from."""
_PROBES = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
"""Values of ``nprobe`` to choose from."""
_ORDINAL_BYTES = 8
_COMPRESSED_RERANK = 10
"""Candidates a hit that are scored again exactly, where an index keeps little of a vector."""
_ROUNDED_RERANK = 2
"""The same where it keeps a byte a component."""


@dataclass(frozen=True, slots=True)
class VectorPlan:
    """What may be built and how it is looked after; 0 stands for a value by size."""

    kind: Literal["auto"] | Kind = "auto"
    storage: Storage = "f32"
    memory_mb: int = 0
    """What ``auto`` may take; 0 for no limit."""
    flat_limit: int = 20_000
    m: int = 32
    ef_construction: int = 100
    ef_search: int = 0
    recall: float = 0.99
    nlist: int = 0
    nprobe: int = 0
    pq_m: int = 0
    pq_bits: Literal[4, 8] = 4
    rerank: int = 0
    exact_below: int = 20_000
    fold_after: int = 4096
    rebuild_tombstones: float = 0.3
    rebuild_drift: float = 0.3
    min_recall: float = 0.9
    build_threads: int = 1


@dataclass(frozen=True, slots=True)
class Layout:
    """An index as it is built: every parameter has its value, those of other kinds are 0."""

    kind: Kind
    storage: Storage = "f32"
    m: int = 0
    ef_construction: int = 0
    ef_search: int = 0
    nlist: int = 0
    nprobe: int = 0
    pq_m: int = 0
    pq_bits: int = 0
    rerank: int = 1

    @property
    def name(self) -> str:
        """The kind with its storage: ``hnsw sq8``."""
        plain = self.storage == "f32" or self.kind in {"ivf_pq", "ivf_rabitq", "lsh"}
        return self.kind if plain else f"{self.kind} {self.storage}"

    @property
    def parameters(self) -> dict[str, int | str]:
        """Those that mean something for the kind."""
        values = {key: value for key, value in asdict(self).items() if key != "kind" and value}
        if self.kind in {"ivf_pq", "ivf_rabitq", "lsh"}:
            del values["storage"]
        if self.rerank == 1:
            del values["rerank"]
        return values

    @property
    def exact(self) -> bool:
        """Whether its own scores are exact cosines, so that nothing is scored again."""
        return self.kind in {"flat", "hnsw", "ivf"} and self.storage == "f32"

    def bytes_for(self, count: int, dimension: int) -> int:
        """The memory that searches read, predicted: codes, links or lists, ordinals.

        Exact rows that only settle the order of a few candidates stay on disk and do not count.
        An HNSW node has ``2 m`` links of 4 bytes at the bottom, its level and offset, and ``m``
        more for each level above, where 1 of ``m`` nodes stands (Malkov and Yashunin 2016).
        """
        vector = math.ceil(self._bits(dimension) / 8)
        links = 8 * self.m + 12 + 4 * self.m / (self.m - 1) if self.kind == "hnsw" else 0
        # A list holds the number of each of its vectors; its centroid is kept in full.
        listed = 8 if self.nlist else 0
        return round(
            count * (vector + links + listed + _ORDINAL_BYTES) + self.nlist * dimension * 4
        )

    def _bits(self, dimension: int) -> int:
        if self.kind == "ivf_pq":
            return self.pq_m * self.pq_bits
        if self.kind == "ivf_rabitq":
            # One bit a component, and two factors that correct the estimate.
            return dimension + 2 * 32
        if self.kind == "lsh":
            return 2 * dimension
        return dimension * BITS[self.storage]


def layout_for(plan: VectorPlan, count: int, dimension: int) -> Layout:
    """What the plan builds for so many vectors; raises ``InvalidConfig`` for what does not fit.

    ``auto`` is exact while that is fast, then the most accurate graph that fits into the memory,
    lists of one bit a component where none does, and beyond ``_GRAPH_LIMIT`` lists of short codes.

    >>> layout_for(VectorPlan(), 5_000, 512).name, layout_for(VectorPlan(), 100_000, 512).name
    ('flat', 'hnsw bf16')
    >>> layout_for(VectorPlan(memory_mb=350), 400_000, 512).name
    'hnsw sq8'
    >>> layout_for(VectorPlan(), 1_000_000, 768).name
    'ivf_pq'
    """
    if plan.kind != "auto":
        return _layout(plan, plan.kind, plan.storage, count, dimension)
    if count <= plan.flat_limit:
        return _layout(plan, "flat", "f32", count, dimension)
    if count > _GRAPH_LIMIT:
        return _layout(plan, "ivf_pq", "f32", count, dimension)
    choices = [_layout(plan, "hnsw", storage, count, dimension) for storage in _STORED]
    choices.append(_layout(plan, "ivf_rabitq", "f32", count, dimension))
    limit = plan.memory_mb << 20
    fits = (layout for layout in choices if layout.bytes_for(count, dimension) <= limit)
    return choices[0] if not limit else next(fits, choices[-1])


def searched_as(plan: VectorPlan, built: Layout) -> Layout:
    """The layout with what can be chosen anew for every search: how widely, how much again."""
    return replace(
        built,
        ef_search=(plan.ef_search or built.ef_search) if built.ef_search else 0,
        nprobe=min(built.nlist, plan.nprobe or built.nprobe),
        rerank=plan.rerank or built.rerank,
    )


def breadths_to_try(plan: VectorPlan, built: Layout) -> list[Layout]:
    """The layout with the breadths to try, narrow to wide; one, where the plan says which.

    Texts need a breadth several times that of pictures, and all need more as a corpus grows.
    """
    if built.kind == "hnsw" and not plan.ef_search:
        return [replace(built, ef_search=ef) for ef in _BREADTHS]
    if built.nlist and not plan.nprobe:
        counts = sorted({min(built.nlist, count) for count in _PROBES})
        return [replace(built, nprobe=count) for count in counts]
    return [searched_as(plan, built)]


def _ef(count: int) -> int:
    """Where nothing is measured: wider for more vectors."""
    return round(256 * max(1.0, math.sqrt(count / 100_000)))


def _layout(plan: VectorPlan, kind: Kind, storage: Storage, count: int, dimension: int) -> Layout:
    if not count or (kind == "ivf_pq" and count < 1 << plan.pq_bits):
        # A codebook cannot have more entries than there are vectors.
        return Layout("flat")
    if kind == "hnsw":
        made = Layout(kind, storage, plan.m, plan.ef_construction, plan.ef_search or _ef(count))
    elif kind in {"flat", "lsh"}:
        made = Layout(kind, storage)
    else:
        made = _with_lists(plan, Layout(kind, storage), count)
    if kind == "ivf_pq":
        made = replace(made, pq_m=_pq_m(plan, dimension), pq_bits=plan.pq_bits)
    return replace(made, rerank=plan.rerank or _rerank(made))


def _with_lists(plan: VectorPlan, layout: Layout, count: int) -> Layout:
    """Lists by the square root of the count, and an eighth of them looked at."""
    nlist = plan.nlist or max(1, round(4 * math.sqrt(count)))
    nlist = min(nlist, max(1, count // 39))
    return replace(layout, nlist=nlist, nprobe=min(nlist, plan.nprobe or max(32, nlist // 8)))


def _pq_m(plan: VectorPlan, dimension: int) -> int:
    """Parts that a vector is cut into; by default of four components each."""
    parts = plan.pq_m or (dimension // 4 if dimension % 4 == 0 else dimension)
    if dimension % parts:
        raise InvalidConfig(f"vector.pq_m = {parts}: does not divide the dimension {dimension}")
    return parts


def _rerank(layout: Layout) -> int:
    # 16 bits move hardly a rank, and what is found is scored again exactly in any case.
    if layout.exact or (layout.kind in {"flat", "hnsw", "ivf"} and layout.storage == "bf16"):
        return 1
    return _ROUNDED_RERANK if layout.kind in {"flat", "hnsw", "ivf"} else _COMPRESSED_RERANK
