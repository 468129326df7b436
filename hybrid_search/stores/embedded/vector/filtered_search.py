"""Search of a segment under tombstones and filters: by the index, or by an exact scan.

A graph search under a filter only finds allowed vectors that its walk passes. If they lie far from
the query, as with a filter for another topic, it misses the nearest. So the filter is tried on the
query's neighbours first, and the allowed vectors are scanned if it allows few of these.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from cachetools import LRUCache

from hybrid_search.core.ports import Ordinals, Vectors
from hybrid_search.stores.embedded.vector.exact_scan import (
    Mask,
    Positions,
    Scores,
    cosines,
    places_of,
    scan,
)
from hybrid_search.stores.embedded.vector.segment import Segment

TIE_SLACK = 16
"""Extra candidates, so that ties at the limit are broken by ordinal."""
_AROUND, _AROUND_BREADTH = 32, 64
"""The number of neighbours on which a filter is tried, and the breadth of their search."""
_NEAR = 0.5
"""The least share of neighbours allowed, relative to the share allowed overall."""
_FILTERED = 2
"""Factor of the breadth of a search under a filter."""


class Scored(NamedTuple):
    """Ordinals with exact cosines, in no order, and how they were found."""

    ordinals: Ordinals
    scores: Scores
    plan: str


class Subset(NamedTuple):
    """Positions that are allowed and live, ascending and as a mask."""

    positions: Positions
    mask: Mask


@dataclass(frozen=True, slots=True)
class SegmentView:
    """A segment with its tombstones; immutable."""

    segment: Segment
    live: Mask
    count: int
    """The number of live vectors."""
    _subsets: LRUCache[int, tuple[Ordinals, Subset]] = field(default_factory=lambda: LRUCache(16))
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, segment: Segment) -> SegmentView:
        """The segment with the tombstones it was written with."""
        live = np.ones(len(segment.ordinals), bool)
        live[places_of(segment.ordinals, segment.deleted)] = False
        return cls(segment, live, int(live.sum()))

    def without(self, ordinals: Ordinals) -> SegmentView:
        """The view with these ordinals deleted too; unknown ones are ignored."""
        live = self.live.copy()
        live[places_of(self.segment.ordinals, ordinals)] = False
        return SegmentView(self.segment, live, int(live.sum()))

    def subset(self, allowed: Ordinals) -> Subset:
        """The allowed live positions; cached for the next search with the same array."""
        with self._guard:
            known = self._subsets.get(id(allowed))
        # The array is kept with its id: after it is freed, another may get the same id.
        if known is not None and known[0] is allowed:
            return known[1]
        places = places_of(self.segment.ordinals, allowed)
        positions = places[self.live[places]]
        mask = np.zeros(len(self.live), bool)
        mask[positions] = True
        with self._guard:
            self._subsets[id(allowed)] = allowed, Subset(positions, mask)
        return Subset(positions, mask)


def search_segment(
    view: SegmentView, query: Vectors, limit: int, allowed: Ordinals | None, exact_below: int
) -> Scored:
    """Candidates that include the nearest ``limit`` live vectors, with exact cosines.

    Up to ``exact_below`` allowed vectors are scanned.
    """
    segment, total = view.segment, len(view.segment.ordinals)
    if allowed is None:
        mask = None if view.count == total else view.live
        subset, left, breadth = None, view.count, _breadth(segment)
    else:
        subset = view.subset(allowed)
        mask, left, breadth = subset.mask, len(subset.positions), _breadth(segment) * _FILTERED
    few = allowed is not None and left <= exact_below
    if segment.index is None or few or left <= limit:
        return _exactly(view, query, limit, subset, "")
    if subset is not None and not _reaches(view, query, subset):
        return _exactly(view, query, limit, subset, ", since the filter excludes the neighbors")
    found = segment.nearest(query, limit + TIE_SLACK, breadth, mask)
    if len(found) < min(limit, left):
        return _exactly(view, query, limit, subset, ", since the index found too few")
    # Exact indexes are scored again too: their kernels round equal vectors differently.
    plan = f"{segment.layout.name}, {_breadth_name(segment, breadth)}{total:,} vectors"
    plan += "" if allowed is None else f", filter allows {left:,}"
    return Scored(segment.ordinals[found], cosines(query, segment.rows, found), plan)


def _exactly(
    view: SegmentView, query: Vectors, limit: int, subset: Subset | None, why: str
) -> Scored:
    segment, total = view.segment, len(view.segment.ordinals)
    left = view.count if subset is None else len(subset.positions)
    plan = f"{segment.layout.name}, exact over {left:,} of {total:,} vectors{why}"
    if subset is not None and left * 2 <= total:
        positions = subset.positions
    else:
        mask = view.live if subset is None else subset.mask
        positions = scan(query, segment.rows, limit, None if left == total else mask)
    return Scored(segment.ordinals[positions], cosines(query, segment.rows, positions), plan)


def _reaches(view: SegmentView, query: Vectors, subset: Subset) -> bool:
    """Whether the filter allows about as large a share around the query as overall."""
    live = None if view.count == len(view.live) else view.live
    # Compressed indexes return more candidates, the farther ones last: they are cut off.
    around = view.segment.nearest(query, _AROUND, _AROUND_BREADTH, live)[:_AROUND]
    allowed = float(subset.mask[around].mean()) if len(around) else 0.0
    return allowed >= _NEAR * len(subset.positions) / view.count


def _breadth(segment: Segment) -> int:
    return segment.layout.ef_search or segment.layout.nprobe


def _breadth_name(segment: Segment, breadth: int) -> str:
    if not breadth:
        return ""
    return f"nprobe {breadth}, " if segment.layout.nlist else f"ef_search {breadth}, "
