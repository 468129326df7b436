"""Ranks candidates under many settings at once, with the fusion kernel of a search."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hybrid_search.core import FusionSettings, ListName
from hybrid_search.relevance.candidate_cache import Candidates
from hybrid_search.search.fusion import Fusion

Rankings = NDArray[np.int64]
"""``(settings, hits)``: rows of the candidates, best first; -1 where there are no more."""

_Group = tuple[dict[ListName, int], list[int]]
"""Windows, and the places of the settings with these windows and one method."""


class Sweep:
    """Ranks the candidates of queries under many settings."""

    def __init__(self, settings: Sequence[FusionSettings]) -> None:
        self._settings = settings
        self._groups = _groups(settings)

    def rankings(self, candidates: Candidates, depth: int) -> Rankings:
        """The first hits in scope under each setting, ``(settings, depth)``."""
        found = np.full((len(self._settings), depth), -1, np.int64)
        for windows, places in self._groups:
            narrowed = candidates.retrieved.narrowed(windows)
            fused = Fusion(narrowed, [self._settings[place] for place in places])
            ranked = fused.ranked(depth if candidates.in_scope.all() else None)
            ordered = _in_scope(ranked, candidates)[:, :depth]
            found[places, : ordered.shape[1]] = ordered
        return found


def _in_scope(ranked: Rankings, candidates: Candidates) -> Rankings:
    """The orders without rows out of scope; every order loses the same rows."""
    kept = candidates.in_scope[ranked]
    return ranked if kept.all() else ranked[kept].reshape(len(ranked), -1)


def grades(candidates: Candidates, found: Rankings) -> NDArray[np.float64]:
    """The grade of each hit; 0 where a ranking has no more hits."""
    known = np.append(candidates.grades, 0.0)
    return np.asarray(known[found])


def _groups(settings: Sequence[FusionSettings]) -> list[_Group]:
    """Settings that differ only in weights and rank constant: one kernel call ranks them."""
    groups: dict[tuple[str, frozenset[tuple[ListName, int]]], list[int]] = defaultdict(list)
    for place, one in enumerate(settings):
        windows = frozenset((name, part.window) for name, part in one.lists.items())
        groups[one.method, windows].append(place)
    return [(dict(windows), places) for (_, windows), places in groups.items()]
