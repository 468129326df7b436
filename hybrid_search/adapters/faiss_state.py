"""What one search of the vector index sees: sealed vectors, the tail, what is dead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_search.adapters.faiss_exact import places_of
from hybrid_search.adapters.faiss_tail import Tail
from hybrid_search.adapters.faiss_walks import SealedView
from hybrid_search.ports import Ordinals, Vectors
from hybrid_search.records import Ordinal


@dataclass(frozen=True, slots=True)
class State:
    """One moment of the index; nothing in it ever changes."""

    view: SealedView
    tail: Tail
    watermark: int
    """The catalog's last operation that is in."""
    last: Ordinal
    """The highest ordinal that was ever added."""

    @property
    def count(self) -> int:
        """The number of live vectors."""
        return self.view.count + int(self.tail.alive.sum())

    def live(self) -> tuple[Ordinals, Vectors]:
        """Everything alive, in order of ordinal."""
        kept, fresh = self.view.alive, self.tail.alive
        ordinals = np.concatenate([self.view.sealed.ordinals[kept], self.tail.ordinals[fresh]])
        rows = np.concatenate([self.view.sealed.rows[kept], self.tail.rows[fresh]])
        order = np.argsort(ordinals, kind="stable")
        return ordinals[order], rows[order]

    def row(self, ordinal: Ordinal) -> Vectors | None:
        """The live vector ``(d,)`` of that version; not a copy."""
        wanted = np.array([ordinal], np.int64)
        sealed, tail = self.view.sealed, self.tail
        for ordinals, rows, alive in (
            (sealed.ordinals, sealed.rows, self.view.alive),
            (tail.ordinals, tail.rows, tail.alive),
        ):
            at = places_of(ordinals, wanted)
            if len(at) and alive[at[0]]:
                return np.asarray(rows[at[0]])
        return None
