"""The write buffer: new vectors, scanned exactly until they are merged into a segment."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hybrid_search.core.ports import Ordinals, Vectors
from hybrid_search.stores.embedded.vector.exact_scan import Mask, Scores, cosines, places_of

_ROOM = 1024


@dataclass(frozen=True, slots=True)
class WriteBuffer:
    """Vectors in ascending order of ordinal; immutable.

    Growing one returns another, which shares the arrays with room for more.
    """

    ordinals: Ordinals
    rows: Vectors
    live: Mask
    _room: tuple[Ordinals, Vectors]
    """The shared arrays, longer than this buffer."""

    @classmethod
    def of(cls, ordinals: Ordinals, rows: Vectors) -> WriteBuffer:
        """A buffer of these vectors, all live."""
        empty = cls.empty(rows.shape[1])
        return empty.with_more(ordinals, rows)

    @classmethod
    def empty(cls, dimension: int) -> WriteBuffer:
        """A buffer without vectors."""
        room = np.empty(_ROOM, np.int64), np.empty((_ROOM, dimension), np.float32)
        return cls(room[0][:0], room[1][:0], np.empty(0, bool), room)

    def with_more(self, ordinals: Ordinals, rows: Vectors) -> WriteBuffer:
        """The buffer with these vectors appended; only the newest buffer may be extended."""
        used, needed = len(self.ordinals), len(self.ordinals) + len(ordinals)
        room = self._room if needed <= len(self._room[0]) else self._larger(needed)
        room[0][used:needed], room[1][used:needed] = ordinals, rows
        live = np.concatenate([self.live, np.ones(len(ordinals), bool)])
        return WriteBuffer(room[0][:needed], room[1][:needed], live, room)

    def without(self, ordinals: Ordinals) -> WriteBuffer:
        """The buffer with these ordinals deleted; unknown ones are ignored."""
        live = self.live.copy()
        live[places_of(self.ordinals, ordinals)] = False
        return replace(self, live=live)

    def search(self, query: Vectors, allowed: Ordinals | None) -> tuple[Ordinals, Scores]:
        """All live and allowed ordinals with their cosines, ascending by ordinal."""
        if allowed is None:
            at = np.flatnonzero(self.live)
        else:
            places = places_of(self.ordinals, allowed)
            at = places[self.live[places]]
        return self.ordinals[at], cosines(query, self.rows, at)

    def _larger(self, needed: int) -> tuple[Ordinals, Vectors]:
        used, size = len(self.ordinals), max(needed, 2 * len(self._room[0]))
        ordinals, rows = np.empty(size, np.int64), np.empty((size, self.rows.shape[1]), np.float32)
        ordinals[:used], rows[:used] = self.ordinals, self.rows
        return ordinals, rows
