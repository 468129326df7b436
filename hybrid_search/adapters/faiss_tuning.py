"""How much of the nearest an index finds, and how widely it must be searched for that."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hybrid_search.adapters.faiss_exact import cosines, scan
from hybrid_search.adapters.faiss_tail import Tail
from hybrid_search.adapters.faiss_walks import SealedView
from hybrid_search.ports import Vectors

DEPTH = 10
"""Neighbours of a probe that count."""

Search = Callable[[Vectors, int], Sequence[float]]
"""The cosines of what is found for a vector, best first."""


class Yardstick:
    """What exact search finds for some probes ``(n, d)``, to hold other searches against."""

    def __init__(self, probes: Vectors, view: SealedView, tail: Tail) -> None:
        self._bars: list[tuple[Vectors, int, float]] = []
        for probe in np.ascontiguousarray(probes, np.float32):
            rows = view.sealed.rows
            near = cosines(probe, rows, scan(probe, rows, DEPTH, view.alive))
            exact = np.sort(np.concatenate([near, tail.search(probe, None)[1]]))[-DEPTH:]
            if len(exact):
                self._bars.append((probe, len(exact), float(exact[0])))

    def recall(self, search: Search) -> float:
        """The share of the nearest that the search finds; ties count, 1 without probes."""
        wanted = sum(depth for _, depth, _ in self._bars)
        found = sum(
            sum(score >= bar for score in search(probe, depth)) for probe, depth, bar in self._bars
        )
        return found / wanted if wanted else 1.0
