"""What one search of the vector index sees: sealed vectors, the tail, what is dead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_search.core import Ordinal
from hybrid_search.core.ports import Ordinals, Vectors
from hybrid_search.stores.embedded.vector.exact_scan import places_of
from hybrid_search.stores.embedded.vector.filtered_search import SealedView
from hybrid_search.stores.embedded.vector.write_buffer import Tail


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

    def ordinals(self) -> Ordinals:
        """Those of everything alive, ascending."""
        kept, fresh = self.view.alive, self.tail.alive
        return np.sort(np.concatenate([self.view.sealed.ordinals[kept], self.tail.ordinals[fresh]]))

    def holds(self, wanted: Ordinals) -> set[Ordinal]:
        """Those of the ascending ordinals that are alive."""
        sealed, tail = self.view.sealed, self.tail
        found = [
            ordinals[at][alive[at]]
            for ordinals, alive in (
                (sealed.ordinals, self.view.alive),
                (tail.ordinals, tail.alive),
            )
            for at in (places_of(ordinals, wanted),)
        ]
        return {Ordinal(ordinal) for ordinal in np.concatenate(found).tolist()}

    def sample(self, limit: int) -> Vectors:
        """Up to so many of the vectors alive, spread evenly over them in order of ordinal."""
        kept, fresh = np.flatnonzero(self.view.alive), np.flatnonzero(self.tail.alive)
        total = len(kept) + len(fresh)
        ordinals = np.concatenate([self.view.sealed.ordinals[kept], self.tail.ordinals[fresh]])
        order = np.argsort(ordinals, kind="stable")
        chosen = order[np.linspace(0, total - 1, min(limit, total)).astype(np.int64)]
        rows = np.empty((len(chosen), self.tail.rows.shape[1]), np.float32)
        old = chosen < len(kept)
        rows[old] = self.view.sealed.rows[kept[chosen[old]]]
        rows[~old] = self.tail.rows[fresh[chosen[~old] - len(kept)]]
        return rows

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
