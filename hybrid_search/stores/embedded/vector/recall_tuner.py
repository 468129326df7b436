"""How much of the nearest an index finds, and how widely it must be searched for that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hybrid_search.core.ports import Vectors
from hybrid_search.stores.embedded.vector.exact_scan import cosines, scan
from hybrid_search.stores.embedded.vector.filtered_search import SealedView
from hybrid_search.stores.embedded.vector.write_buffer import Tail

DEPTH = 10
"""Neighbours of a probe that count."""

Search = Callable[[Vectors, int], Sequence[float]]
"""The cosines of what is found for a vector, best first."""


@dataclass(frozen=True, slots=True)
class _Bar:
    """How near the farthest of a probe's nearest is."""

    probe: Vectors
    depth: int
    lowest: float


class Yardstick:
    """What exact search finds for each kind of probes ``(n, d)``, to hold others against."""

    def __init__(self, probes: Sequence[Vectors], view: SealedView, tail: Tail) -> None:
        self._kinds = [list(_bars(kind, view, tail)) for kind in probes]

    def recall(self, search: Search) -> float:
        """The share of the nearest that the search finds, of the kind of probe where it is least.

        Ties count; 1 without probes.
        """
        return min((_share(search, kind) for kind in self._kinds if kind), default=1.0)


def _bars(probes: Vectors, view: SealedView, tail: Tail) -> Iterator[_Bar]:
    rows = view.sealed.rows
    for probe in np.ascontiguousarray(probes, np.float32):
        near = cosines(probe, rows, scan(probe, rows, DEPTH, view.alive))
        exact = np.sort(np.concatenate([near, tail.search(probe, None)[1]]))[-DEPTH:]
        if len(exact):
            yield _Bar(probe, len(exact), float(exact[0]))


def _share(search: Search, bars: Sequence[_Bar]) -> float:
    found = sum(sum(score >= bar.lowest for score in search(bar.probe, bar.depth)) for bar in bars)
    return found / sum(bar.depth for bar in bars)
