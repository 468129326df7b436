"""The vectors of a corpus as of one moment, copied to disk once for all that is built from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hybrid_search.core.ports import LiveVectors, Ordinals, Vectors

_STEP = 50_000
"""Vectors handed on at once."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Vectors in order of ordinal; the corpus may go on changing."""

    sequence: int
    ordinals: Ordinals
    rows: Vectors

    def live(self) -> LiveVectors:
        """All of them, as an index is built from them."""
        return LiveVectors(self.sequence, len(self.ordinals), self._portions())

    def sample(self, size: int, chance: np.random.Generator) -> Vectors:
        """At most so many of them, chosen by chance."""
        count = len(self.ordinals)
        return np.array(self.rows[chance.choice(count, min(size, count), replace=False)])

    def _portions(self) -> Iterator[tuple[Ordinals, Vectors]]:
        for start in range(0, len(self.ordinals), _STEP):
            part = slice(start, start + _STEP)
            yield self.ordinals[part], self.rows[part]


def snapshot(live: LiveVectors, path: Path) -> Snapshot:
    """What is alive now, its vectors mapped from a new file at ``path``."""
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
