"""Recall@10 of an index against exact search, and the breadth of search that reaches a target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hybrid_search.core.ports import Vectors
from hybrid_search.stores.embedded.vector.exact_scan import cosines, scan
from hybrid_search.stores.embedded.vector.index_spec import VectorPlan, breadths_to_try
from hybrid_search.stores.embedded.vector.segment import Segment
from hybrid_search.stores.embedded.vector.snapshot import VectorSnapshot, search_snapshot

DEPTH = 10
"""The number of neighbours of a probe that count."""


def tune(segment: Segment, probes: Sequence[Vectors], plan: VectorPlan) -> tuple[Segment, float]:
    """The segment with the narrowest breadth that reaches the plan's recall, and its recall.

    ``probes`` are arrays ``(n, d)``, one for each kind of query. Without probes, or where the plan
    sets the breadth, nothing is chosen. The widest breadth is kept if none reaches the target.
    """
    layouts = breadths_to_try(plan, segment.layout) if any(map(len, probes)) else [segment.layout]
    exact, recall = _ExactNeighbours(probes, VectorSnapshot.of(segment)), 1.0
    for layout in layouts:
        segment = replace(segment, layout=layout)
        recall = exact.recall(VectorSnapshot.of(segment), plan.exact_below)
        if recall >= plan.recall:
            break
    return segment, recall


def recall_of(snapshot: VectorSnapshot, probes: Sequence[Vectors], exact_below: int) -> float:
    """The recall of the snapshot on the kind of probe where it is lowest; 1 without probes."""
    return _ExactNeighbours(probes, snapshot).recall(snapshot, exact_below)


@dataclass(frozen=True, slots=True)
class _Truth:
    """The exact result of one probe."""

    probe: Vectors
    depth: int
    lowest: float
    """The cosine of the last of its nearest."""


class _ExactNeighbours:
    """The exact results of each kind of probe, to measure other searches against."""

    def __init__(self, probes: Sequence[Vectors], snapshot: VectorSnapshot) -> None:
        self._kinds = [list(_truths(kind, snapshot)) for kind in probes]

    def recall(self, snapshot: VectorSnapshot, exact_below: int) -> float:
        """The share found of the nearest, for the kind of probe where it is lowest.

        Ties count as found. The recall without probes is 1.
        """
        shares = (_share(snapshot, kind, exact_below) for kind in self._kinds if kind)
        return min(shares, default=1.0)


def _truths(probes: Vectors, snapshot: VectorSnapshot) -> Iterator[_Truth]:
    rows, live = snapshot.view.segment.rows, snapshot.view.live
    for probe in np.ascontiguousarray(probes, np.float32):
        near = cosines(probe, rows, scan(probe, rows, DEPTH, live))
        fresh = snapshot.buffer.search(probe, None)[1]
        exact = np.sort(np.concatenate([near, fresh]))[-DEPTH:]
        if len(exact):
            yield _Truth(probe, len(exact), float(exact[0]))


def _share(snapshot: VectorSnapshot, truths: Sequence[_Truth], exact_below: int) -> float:
    found = 0
    for truth in truths:
        scores = search_snapshot(snapshot, truth.probe, truth.depth, None, exact_below).scores
        found += sum(score >= truth.lowest for score in scores)
    return found / sum(truth.depth for truth in truths)
