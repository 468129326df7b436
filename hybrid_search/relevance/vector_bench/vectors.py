"""A point-in-time copy of a corpus's vectors on disk, from which indexes are built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hybrid_search.core.ports import LiveVectors, Ordinals, Vectors

_BATCH = 50_000
"""Vectors per batch."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Vectors in order of ordinal, independent of later changes to the corpus."""

    sequence: int
    ordinals: Ordinals
    rows: Vectors

    def live(self) -> LiveVectors:
        """All vectors, in the form that an index is built from."""
        return LiveVectors(self.sequence, len(self.ordinals), self._portions())

    def sample(self, size: int, rng: np.random.Generator) -> Vectors:
        """A random sample of at most ``size`` vectors, ``(size, d) float32``."""
        count = len(self.ordinals)
        return np.array(self.rows[rng.choice(count, min(size, count), replace=False)])

    def _portions(self) -> Iterator[tuple[Ordinals, Vectors]]:
        for start in range(0, len(self.ordinals), _BATCH):
            part = slice(start, start + _BATCH)
            yield self.ordinals[part], self.rows[part]


def snapshot(live: LiveVectors, path: Path) -> Snapshot:
    """Copy the live vectors to a new file at ``path`` and map it."""
    ordinals = [np.empty(0, np.int64)]
    with path.open("wb") as file:
        for some, part in live.portions:
            ordinals.append(some)
            file.write(np.ascontiguousarray(part, np.float32).data)
    every = np.concatenate(ordinals)
    if not len(every):
        # An empty file cannot be mapped.
        return Snapshot(live.sequence, every, np.empty((0, 0), np.float32))
    rows = np.memmap(path, np.float32, mode="r").reshape(len(every), -1)
    return Snapshot(live.sequence, every, rows)
