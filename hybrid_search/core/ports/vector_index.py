"""The index of nearest neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from hybrid_search.core import (
    Ordinal,
)
from hybrid_search.core.arrays import Ordinals, Vectors
from hybrid_search.core.ports.catalog import LiveVectors


@dataclass(frozen=True, slots=True)
class VectorMatches:
    """Nearest vectors, most similar first; equal scores stand in order of ordinal."""

    ordinals: tuple[Ordinal, ...]
    scores: tuple[float, ...]
    """Cosine similarities, -1 to 1."""
    plan: str


class VectorIndex(Protocol):
    """Nearest neighbours by cosine over unit vectors, under concurrent writes.

    A write is visible when the call returns. A search sees one state from begin to end.
    """

    def add(self, ordinals: Ordinals, vectors: Vectors) -> None:
        """Index these vectors ``(n, d)``; the ordinals are new and ascending."""
        ...

    def remove(self, ordinals: Iterable[Ordinal]) -> None:
        """Forget these vectors; unknown ones are no error."""
        ...

    def search(self, vector: Vectors, limit: int, allowed: Ordinals | None = None) -> VectorMatches:
        """The nearest to ``vector`` ``(d,)``, only among ``allowed`` (ascending) if given."""
        ...

    def search_many(self, vectors: Vectors, limit: int) -> list[VectorMatches]:
        """The nearest to each of ``vectors`` ``(n, d)``, exactly; for work done offline."""
        ...

    def similarities(self, vector: Vectors, ordinals: Sequence[Ordinal]) -> dict[Ordinal, float]:
        """The exact cosine of each of these versions that has a vector."""
        ...

    def advance(self, watermark: int) -> None:
        """Remember that everything up to that operation is in."""
        ...

    @property
    def watermark(self) -> int:
        """The last operation that is in; 0 for a new index."""
        ...

    @property
    def last_ordinal(self) -> Ordinal:
        """The highest ordinal that was ever added, 0 when there is none."""
        ...

    def vector(self, ordinal: Ordinal) -> Vectors | None:
        """The vector ``(d,)`` of that version."""
        ...

    def holds(self, ordinals: Sequence[Ordinal]) -> set[Ordinal]:
        """Those of these versions that have a vector."""
        ...

    def sample(self, limit: int) -> Vectors:
        """Up to so many live vectors ``(n, d)``, spread evenly over them in order of ordinal."""
        ...

    def ordinals(self) -> Ordinals:
        """All versions that have a live vector, ascending."""
        ...

    def count(self) -> int:
        """The number of live vectors."""
        ...

    def describe(self) -> VectorStatus:
        """Kind, parameters and sizes, for status reports."""
        ...

    def due(self) -> Due | None:
        """What should be done for the index, if anything."""
        ...

    def fold(self) -> None:
        """Make the fresh vectors part of the index proper; searches and writes go on."""
        ...

    def rebuild(self, live: LiveVectors, probes: Sequence[Vectors]) -> Rebuilt:
        """Build anew from the vectors that are alive.

        Searches and writes go on. What finds less of the neighbours of the probes, arrays
        ``(n, d)`` of one kind of query each, than it must is not published.
        """
        ...

    def adopt(self) -> bool:
        """Take what another process has built; whether none is left to take."""
        ...


@dataclass(frozen=True, slots=True)
class VectorStatus:
    """The state of a vector index."""

    kind: str
    parameters: Mapping[str, int | str]
    sealed: int
    """Vectors in the index proper, dead ones included."""
    tail: int
    """Fresh vectors beside it, searched exactly."""
    tombstones: int
    """Dead vectors not yet removed."""
    dimension: int
    bytes: int
    """Memory that searches read."""
    predicted: int = 0
    """What was predicted of it for the index proper."""
    disk: int = 0
    inserted: int = 0
    """Vectors inserted since the index was built."""
    drift: Mapping[str, float] = field(default_factory=dict)
    """By what share it has moved from what it was trained for, measure by measure."""
    sealing: str = ""
    """The folder of the index proper."""
    trouble: str = ""
    """What was found damaged and is done without."""


Due = Literal["fold", "rebuild"]
"""What an index may need."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What became of a rebuild."""

    published: bool
    """Whether it serves; if not, the old one goes on serving."""
    kind: str
    parameters: Mapping[str, int | str]
    vectors: int
    recall: float
    """Recall@10 against exact search, on the probes of the kind that fares worst."""
    recall_before: float
    """The same of the index that served before."""
    bytes: int
    """Memory that searches read, measured."""
    predicted: int
    seconds: float
