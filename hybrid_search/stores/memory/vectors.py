"""A vector index that scans every vector."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from copy import copy
from itertools import pairwise

import numpy as np

from hybrid_search.core import Ordinal
from hybrid_search.core.errors import EngineFailure
from hybrid_search.core.ports import (
    Due,
    LiveVectors,
    Ordinals,
    Rebuilt,
    Reload,
    VectorMatches,
    Vectors,
    VectorStatus,
)


class MemoryVectors:
    """A ``VectorIndex`` over one dictionary."""

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._rows: dict[Ordinal, Vectors] = {}
        self._last = Ordinal(0)
        self._watermark = 0
        self._guard = threading.Lock()

    def add(self, ordinals: Ordinals, vectors: Vectors) -> None:
        if vectors.shape != (len(ordinals), self._dimension):
            raise EngineFailure(f"vectors of shape {vectors.shape} for {len(ordinals)} ordinals")
        with self._guard:
            rising = [self._last, *ordinals.tolist()]
            if any(low >= high for low, high in pairwise(rising)):
                raise EngineFailure(f"ordinals must rise above {self._last}, the last one")
            rows = {Ordinal(o): row.copy() for o, row in zip(rising[1:], vectors, strict=True)}
            self._rows = {**self._rows, **rows}
            self._last = Ordinal(rising[-1])

    def remove(self, ordinals: Iterable[Ordinal]) -> None:
        gone = set(ordinals)
        with self._guard:
            self._rows = {o: row for o, row in self._rows.items() if o not in gone}

    def snapshot(self) -> MemoryVectors:
        # A write replaces the dictionary that reads look at.
        return copy(self)

    def search(self, vector: Vectors, limit: int, allowed: Ordinals | None = None) -> VectorMatches:
        if vector.shape != (self._dimension,):
            raise EngineFailure(f"vector of shape {vector.shape}, the index has {self._dimension}")
        rows = self._rows
        among = rows.keys() if allowed is None else rows.keys() & set(allowed.tolist())
        scored = [(-round(float(rows[ordinal] @ vector), 6), ordinal) for ordinal in among]
        best = sorted(scored)[: max(0, limit)]
        found = tuple(ordinal for _, ordinal in best)
        return VectorMatches(found, tuple(-score for score, _ in best), "every vector, in memory")

    def similarities(self, vector: Vectors, ordinals: Sequence[Ordinal]) -> dict[Ordinal, float]:
        rows = self._rows
        return {o: float(rows[o] @ vector) for o in ordinals if o in rows}

    def advance(self, watermark: int) -> None:
        self._watermark = watermark

    @property
    def watermark(self) -> int:
        return self._watermark

    @property
    def last_ordinal(self) -> Ordinal:
        return self._last

    def vector(self, ordinal: Ordinal) -> Vectors | None:
        row = self._rows.get(ordinal)
        return None if row is None else row.copy()

    def holds(self, ordinals: Sequence[Ordinal]) -> set[Ordinal]:
        return self._rows.keys() & set(ordinals)

    def sample(self, limit: int) -> Vectors:
        rows = [self._rows[ordinal] for ordinal in sorted(self._rows)]
        places = np.linspace(0, len(rows) - 1, min(limit, len(rows))).astype(int)
        chosen = [rows[place] for place in places]
        return np.array(chosen, np.float32).reshape(len(chosen), self._dimension)

    def ordinals(self) -> Ordinals:
        return np.array(sorted(self._rows), np.int64)

    def count(self) -> int:
        return len(self._rows)

    def describe(self) -> VectorStatus:
        size = len(self._rows)
        held = size * self._dimension * np.dtype(np.float32).itemsize
        return VectorStatus("memory", {}, size, 0, 0, self._dimension, held)

    def due(self) -> Due | None:
        """Nothing: every vector is scanned anyway."""
        return None

    def merge(self) -> None:
        """Nothing: there is no write buffer."""

    def rebuild(self, live: LiveVectors, probes: Sequence[Vectors]) -> Rebuilt:
        """Read the vectors, which the index has already."""
        vectors = sum(len(ordinals) for ordinals, _ in live.portions)
        held = self.describe().bytes
        return Rebuilt(
            published=True,
            kind="memory",
            parameters={},
            vectors=vectors,
            recall=1.0,
            recall_before=1.0,
            bytes=held,
            predicted=held,
            seconds=0.0,
        )

    def reload(self) -> Reload:
        """Nothing: no other process has this index."""
        return Reload.UNCHANGED
