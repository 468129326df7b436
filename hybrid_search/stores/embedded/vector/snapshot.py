"""What one search of the vector index sees: a segment, the write buffer, tombstones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hybrid_search.core import Ordinal
from hybrid_search.core.ports import Ordinals, VectorMatches, Vectors
from hybrid_search.stores.embedded.vector.exact_scan import faiss, places_of, top
from hybrid_search.stores.embedded.vector.filtered_search import (
    Scored,
    SegmentView,
    search_segment,
)
from hybrid_search.stores.embedded.vector.segment import Segment
from hybrid_search.stores.embedded.vector.write_buffer import WriteBuffer


@dataclass(frozen=True, slots=True)
class VectorSnapshot:
    """One immutable version of the index."""

    view: SegmentView
    buffer: WriteBuffer
    watermark: int
    """The last operation of the catalog that is included."""
    last: Ordinal
    """The highest ordinal that was ever added."""

    @classmethod
    def of(cls, segment: Segment) -> VectorSnapshot:
        """The segment as it was written, with an empty write buffer."""
        last = Ordinal(int(segment.ordinals[-1])) if len(segment.ordinals) else Ordinal(0)
        buffer = WriteBuffer.empty(segment.rows.shape[1])
        return cls(SegmentView.of(segment), buffer, segment.sequence, last)

    @property
    def count(self) -> int:
        """The number of live vectors."""
        return self.view.count + int(self.buffer.live.sum())

    @property
    def tombstones(self) -> int:
        """The number of deleted vectors that still take up space."""
        return len(self.view.live) + len(self.buffer.live) - self.count

    def without(self, ordinals: Ordinals) -> VectorSnapshot:
        """The snapshot with these ``(n,)`` ascending ordinals deleted; unknown ones are ignored."""
        view, buffer = self.view.without(ordinals), self.buffer.without(ordinals)
        return replace(self, view=view, buffer=buffer)

    def over(self, segment: Segment) -> VectorSnapshot:
        """The same live vectors over another segment; those it lacks go to the write buffer."""
        old, live = self.view.segment, np.zeros(len(segment.ordinals), bool)
        kept, buffered = old.ordinals[self.view.live], self.buffer.ordinals[self.buffer.live]
        for part in (kept, buffered):
            live[places_of(segment.ordinals, part)] = True
        from_segment, from_buffer = (_absent(segment.ordinals, part) for part in (kept, buffered))
        rows = np.concatenate(
            [
                old.rows[places_of(old.ordinals, from_segment)],
                self.buffer.rows[places_of(self.buffer.ordinals, from_buffer)],
            ]
        )
        ordinals = np.concatenate([from_segment, from_buffer])
        order = np.argsort(ordinals, kind="stable")
        buffer = WriteBuffer.of(ordinals[order], rows[order])
        return replace(self, view=SegmentView(segment, live, int(live.sum())), buffer=buffer)

    def live_vectors(self) -> tuple[Ordinals, Vectors]:
        """All live vectors: ordinals ``(n,)`` ascending and rows ``(n, d)``."""
        kept, fresh = self.view.live, self.buffer.live
        ordinals = np.concatenate([self.view.segment.ordinals[kept], self.buffer.ordinals[fresh]])
        rows = np.concatenate([self.view.segment.rows[kept], self.buffer.rows[fresh]])
        order = np.argsort(ordinals, kind="stable")
        return ordinals[order], rows[order]

    def ordinals(self) -> Ordinals:
        """The ordinals of all live vectors, ascending."""
        kept, fresh = self.view.live, self.buffer.live
        return np.sort(
            np.concatenate([self.view.segment.ordinals[kept], self.buffer.ordinals[fresh]])
        )

    def holds(self, wanted: Ordinals) -> set[Ordinal]:
        """Those of the ascending ordinals that are live."""
        found = [
            ordinals[at][live[at]]
            for ordinals, live in (
                (self.view.segment.ordinals, self.view.live),
                (self.buffer.ordinals, self.buffer.live),
            )
            for at in (places_of(ordinals, wanted),)
        ]
        return {Ordinal(ordinal) for ordinal in np.concatenate(found).tolist()}

    def sample(self, limit: int) -> Vectors:
        """Up to ``limit`` live vectors ``(n, d)``, spread evenly over them by ordinal."""
        kept, fresh = np.flatnonzero(self.view.live), np.flatnonzero(self.buffer.live)
        total = len(kept) + len(fresh)
        ordinals = np.concatenate([self.view.segment.ordinals[kept], self.buffer.ordinals[fresh]])
        order = np.argsort(ordinals, kind="stable")
        chosen = order[np.linspace(0, total - 1, min(limit, total)).astype(np.int64)]
        rows = np.empty((len(chosen), self.buffer.rows.shape[1]), np.float32)
        old = chosen < len(kept)
        rows[old] = self.view.segment.rows[kept[chosen[old]]]
        rows[~old] = self.buffer.rows[fresh[chosen[~old] - len(kept)]]
        return rows

    def row(self, ordinal: Ordinal) -> Vectors | None:
        """The live vector ``(d,)`` of that version; not a copy."""
        wanted = np.array([ordinal], np.int64)
        segment, buffer = self.view.segment, self.buffer
        for ordinals, rows, live in (
            (segment.ordinals, segment.rows, self.view.live),
            (buffer.ordinals, buffer.rows, buffer.live),
        ):
            at = places_of(ordinals, wanted)
            if len(at) and live[at[0]]:
                return np.asarray(rows[at[0]])
        return None


def search_snapshot(
    snapshot: VectorSnapshot,
    query: Vectors,
    limit: int,
    allowed: Ordinals | None,
    exact_below: int,
) -> VectorMatches:
    """The nearest live vectors to a unit query ``(d,)`` in segment and write buffer.

    ``allowed`` (ascending) restricts the search; up to ``exact_below`` allowed ones are scanned.
    """
    # One query is too little work for several threads: they would wait for each other at its end.
    faiss.omp_set_num_threads(1)
    scored = search_segment(snapshot.view, query, limit, allowed, exact_below)
    buffered, scores = snapshot.buffer.search(query, allowed)
    ordinals = np.concatenate([scored.ordinals, buffered])
    scores = np.concatenate([scored.scores, scores])
    best = top(ordinals, scores, limit)
    found = tuple(Ordinal(ordinal) for ordinal in ordinals[best].tolist())
    return VectorMatches(found, tuple(scores[best].tolist()), _plan(snapshot, scored))


def _plan(snapshot: VectorSnapshot, scored: Scored) -> str:
    """How the answer was found, for explanations."""
    waiting = len(snapshot.buffer.ordinals)
    if not waiting:
        return scored.plan
    buffered = f"exact over {waiting:,}"
    if not len(snapshot.view.segment.ordinals):
        return buffered
    return f"{scored.plan} + write buffer, {buffered}"


def _absent(ordinals: Ordinals, wanted: Ordinals) -> Ordinals:
    """Those of the ascending ``wanted`` that are not among the ascending ordinals."""
    known = ordinals[places_of(ordinals, wanted)]
    return np.setdiff1d(wanted, known, assume_unique=True)
