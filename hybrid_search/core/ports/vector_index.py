"""The index of nearest neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Literal, Protocol

from hybrid_search.core import Ordinal
from hybrid_search.core.arrays import Ordinals, Vectors
from hybrid_search.core.ports.catalog import LiveVectors


@dataclass(frozen=True, slots=True)
class VectorMatches:
    """Nearest vectors, most similar first; equal scores stand in order of ordinal."""

    ordinals: tuple[Ordinal, ...]
    scores: tuple[float, ...]
    """Cosine similarities, -1 to 1, rounded to 6 places."""
    plan: str
    """How they were found, for explanations."""


Due = Literal["merge", "rebuild"]
"""What an index may need."""


class Reload(Enum):
    """The outcome of ``VectorIndex.reload``."""

    UNCHANGED = auto()
    """The newest segment serves already, or it is damaged."""
    OPENED = auto()
    """A newer segment serves now."""
    AHEAD = auto()
    """The newest segment has operations that this index lacks. Catch up and call again."""


class VectorReads(Protocol):
    """One version of a vector index, for reading; see ``VectorIndex`` for the methods."""

    def search(self, vector: Vectors, limit: int, allowed: Ordinals | None = None) -> VectorMatches:
        """The nearest to a unit vector ``(d,)``, at most ``limit``."""
        ...

    def similarities(self, vector: Vectors, ordinals: Sequence[Ordinal]) -> dict[Ordinal, float]:
        """The exact cosine of each of these versions that has a vector."""
        ...

    def vector(self, ordinal: Ordinal) -> Vectors | None:
        """The vector ``(d,)`` of that version."""
        ...

    def holds(self, ordinals: Sequence[Ordinal]) -> set[Ordinal]:
        """Those of these versions that have a vector."""
        ...

    def count(self) -> int:
        """The number of live vectors."""
        ...


class VectorIndex(Protocol):
    """Nearest neighbours by cosine over unit vectors, under concurrent writes.

    An index has a segment, which never changes, and a write buffer for what came since. A write is
    visible when the call returns and is lost with the process until a segment is written: a process
    that opens the index replays the catalog's operations after ``watermark``. A search sees one
    snapshot from begin to end.
    """

    def add(self, ordinals: Ordinals, vectors: Vectors) -> None:
        """Add unit vectors ``(n, d)`` float32 under ascending ordinals ``(n,)``.

        Raises ``EngineFailure``, and changes nothing, for shapes that do not fit and for ordinals
        that do not rise above ``last_ordinal``.
        """
        ...

    def remove(self, ordinals: Iterable[Ordinal]) -> None:
        """Delete these vectors; unknown ordinals are ignored."""
        ...

    def snapshot(self) -> VectorReads:
        """The present version: later writes do not show in it."""
        ...

    def search(self, vector: Vectors, limit: int, allowed: Ordinals | None = None) -> VectorMatches:
        """The nearest to a unit vector ``(d,)``, at most ``limit``.

        ``allowed`` ``(n,)`` ascending restricts the search to these ordinals. Raises
        ``EngineFailure`` for a vector of another dimension.
        """
        ...

    def similarities(self, vector: Vectors, ordinals: Sequence[Ordinal]) -> dict[Ordinal, float]:
        """The exact cosine of each of these versions that has a live vector, in given order."""
        ...

    def advance(self, watermark: int) -> None:
        """Record that all operations up to that sequence number are applied."""
        ...

    @property
    def watermark(self) -> int:
        """The sequence number of the last applied operation; 0 for a new index."""
        ...

    @property
    def last_ordinal(self) -> Ordinal:
        """The highest ordinal that was ever added; 0 when there is none."""
        ...

    def vector(self, ordinal: Ordinal) -> Vectors | None:
        """A copy of the live vector ``(d,)`` of that version; ``None`` without one."""
        ...

    def holds(self, ordinals: Sequence[Ordinal]) -> set[Ordinal]:
        """Those of these versions that have a live vector."""
        ...

    def sample(self, limit: int) -> Vectors:
        """Up to ``limit`` live vectors ``(n, d)``, spread evenly over them by ordinal."""
        ...

    def ordinals(self) -> Ordinals:
        """The ordinals of all live vectors ``(n,)``, ascending."""
        ...

    def count(self) -> int:
        """The number of live vectors."""
        ...

    def describe(self) -> VectorStatus:
        """Kind, parameters and sizes, for status reports."""
        ...

    def due(self) -> Due | None:
        """The maintenance that the index needs now; ``None`` without any."""
        ...

    def merge(self) -> None:
        """Write a segment with the vectors of the write buffer and publish it.

        Searches and writes go on. Raises ``IndexLocked`` while another process writes a segment,
        and ``StorageFull``.
        """
        ...

    def rebuild(self, live: LiveVectors, probes: Sequence[Vectors]) -> Rebuilt:
        """Train and build a segment from the live vectors and publish it if its recall suffices.

        ``probes`` are arrays ``(n, d)``, one for each kind of query; the kind with the lowest
        recall decides. Searches and writes go on. Raises as ``merge`` does.
        """
        ...

    def reload(self) -> Reload:
        """Open the newest published segment, if another process has published one."""
        ...


@dataclass(frozen=True, slots=True)
class VectorStatus:
    """The state of a vector index."""

    kind: str
    parameters: Mapping[str, int | str]
    segment: int
    """Vectors in the segment, deleted ones included."""
    write_buffer: int
    """Vectors in the write buffer, deleted ones included."""
    tombstones: int
    """Deleted vectors in both."""
    dimension: int
    bytes: int
    """Memory that searches read."""
    predicted: int = 0
    """The memory predicted for the segment."""
    disk: int = 0
    """Bytes of the segment's files."""
    inserted: int = 0
    """Vectors of the segment that were inserted after its index was trained."""
    drift: Mapping[str, float] = field(default_factory=dict)
    """Relative growth of each measure of decay since the index was trained."""
    segment_folder: str = ""
    """The name of the segment's folder; empty before the first."""
    trouble: str = ""
    """What is damaged in the newest segment, which is not used; empty without damage."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The result of a rebuild."""

    published: bool
    """Whether the new segment serves; if not, the old one goes on serving."""
    kind: str
    parameters: Mapping[str, int | str]
    vectors: int
    recall: float
    """Recall@10 against exact search, for the kind of probe where it is lowest."""
    recall_before: float
    """The same of the index that served before."""
    bytes: int
    """Memory that searches read, measured."""
    predicted: int
    """The memory predicted for the segment."""
    seconds: float
