"""Choose the kind and parameters of a vector index by its size, and predict its memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

from hybrid_search.core.errors import InvalidConfig

Kind = Literal["flat", "hnsw", "ivf", "ivf_pq", "ivf_rabitq", "lsh"]
"""``lsh`` exists only to compare with in benchmarks."""
Storage = Literal["f32", "bf16", "sq8"]
"""Bits per component in ``flat``, ``hnsw`` and ``ivf``: 32, 16, or 8."""

BITS: Mapping[Storage, int] = {"f32": 32, "bf16": 16, "sq8": 8}
_STORED: tuple[Storage, ...] = ("bf16", "sq8")
"""Storage of an ``auto`` graph: 16 bits, re-scored exactly, reach the recall of 32 faster."""
_GRAPH_LIMIT = 500_000
"""Beyond so many vectors, short codes are faster than the breadth a graph needs for texts."""
_BREADTHS = (64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
"""Values of ``ef_search`` to try."""
_PROBES = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
"""Values of ``nprobe`` to try."""
_ORDINAL_BYTES = 8
_COMPRESSED_RERANK = 10
"""Candidates scored exactly per hit, for compressed indexes."""
_ROUNDED_RERANK = 2
"""The same for a byte per component."""


@dataclass(frozen=True, slots=True)
class VectorPlan:
    """The settings of a vector index; 0 stands for a value chosen by size."""

    kind: Literal["auto"] | Kind = "auto"
    storage: Storage = "f32"
    memory_mb: int = 0
    """The memory that ``auto`` may use; 0 for no limit."""
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
    """The kind and parameters of a built index; parameters of other kinds are 0."""

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
        """The kind with its storage, such as ``hnsw sq8``."""
        plain = self.storage == "f32" or self.kind in {"ivf_pq", "ivf_rabitq", "lsh"}
        return self.kind if plain else f"{self.kind} {self.storage}"

    @property
    def parameters(self) -> dict[str, int | str]:
        """The parameters that apply to the kind."""
        values = {key: value for key, value in asdict(self).items() if key != "kind" and value}
        if self.kind in {"ivf_pq", "ivf_rabitq", "lsh"}:
            del values["storage"]
        if self.rerank == 1:
            del values["rerank"]
        return values

    @property
    def exact(self) -> bool:
        """Whether its own scores are exact cosines."""
        return self.kind in {"flat", "hnsw", "ivf"} and self.storage == "f32"

    def bytes_for(self, count: int, dimension: int) -> int:
        """Predicted memory that searches read: codes, links or lists, ordinals.

        Exact rows that re-score a few candidates stay on disk and do not count. An HNSW
        node has ``2 m`` links of 4 bytes at the bottom, its level and offset, and ``m`` more per
        level above, on which 1 of ``m`` nodes is (Malkov and Yashunin 2016).
        """
        vector = math.ceil(self._bits(dimension) / 8)
        links = 8 * self.m + 12 + 4 * self.m / (self.m - 1) if self.kind == "hnsw" else 0
        # A list has the id of each of its vectors, and its centroid in 32 bits.
        listed = 8 if self.nlist else 0
        return round(
            count * (vector + links + listed + _ORDINAL_BYTES) + self.nlist * dimension * 4
        )

    def _bits(self, dimension: int) -> int:
        if self.kind == "ivf_pq":
            return self.pq_m * self.pq_bits
        if self.kind == "ivf_rabitq":
            # One bit per component, and two correction factors.
            return dimension + 2 * 32
        if self.kind == "lsh":
            return 2 * dimension
        return dimension * BITS[self.storage]


def layout_for(plan: VectorPlan, count: int, dimension: int) -> Layout:
    """The layout of an index of ``count`` vectors; raises ``InvalidConfig`` for a bad ``pq_m``.

    ``auto`` is exact up to ``flat_limit``, then the most accurate graph that fits into the memory,
    or lists with one bit per component if none does, and ``ivf_pq`` beyond ``_GRAPH_LIMIT``.

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
    """The layout with the search parameters of the plan: breadth and re-scored candidates."""
    return replace(
        built,
        ef_search=(plan.ef_search or built.ef_search) if built.ef_search else 0,
        nprobe=min(built.nlist, plan.nprobe or built.nprobe),
        rerank=plan.rerank or built.rerank,
    )


def breadths_to_try(plan: VectorPlan, built: Layout) -> list[Layout]:
    """Layouts with rising breadth; only one, where the plan sets the breadth.

    Texts need several times the breadth of pictures, and a larger corpus needs more.
    """
    if built.kind == "hnsw" and not plan.ef_search:
        return [replace(built, ef_search=ef) for ef in _BREADTHS]
    if built.nlist and not plan.nprobe:
        counts = sorted({min(built.nlist, count) for count in _PROBES})
        return [replace(built, nprobe=count) for count in counts]
    return [searched_as(plan, built)]


def _ef(count: int) -> int:
    """``ef_search`` before it is tuned: it rises with the number of vectors."""
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
    """The layout with lists by the square root of the count, an eighth of them probed."""
    nlist = plan.nlist or max(1, round(4 * math.sqrt(count)))
    nlist = min(nlist, max(1, count // 39))
    return replace(layout, nlist=nlist, nprobe=min(nlist, plan.nprobe or max(32, nlist // 8)))


def _pq_m(plan: VectorPlan, dimension: int) -> int:
    """Parts of a product quantizer; four components each by default."""
    parts = plan.pq_m or (dimension // 4 if dimension % 4 == 0 else dimension)
    if dimension % parts:
        raise InvalidConfig(f"vector.pq_m = {parts}: does not divide the dimension {dimension}")
    return parts


def _rerank(layout: Layout) -> int:
    # 16 bits change hardly a rank, and hits are scored exactly in any case.
    if layout.exact or (layout.kind in {"flat", "hnsw", "ivf"} and layout.storage == "bf16"):
        return 1
    return _ROUNDED_RERANK if layout.kind in {"flat", "hnsw", "ivf"} else _COMPRESSED_RERANK
