"""The same candidates fused by many settings at once, by the kernel that a search uses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hybrid_search.core import FusionSettings, ListName
from hybrid_search.relevance.candidate_cache import Candidates
from hybrid_search.search.fusion import Fusion

Rankings = NDArray[np.int64]
"""``(settings, hits)``: rows of the candidates, best first; -1 where there are no more."""

_Key = tuple[str, tuple[tuple[ListName, int], ...]]


def rankings(candidates: Candidates, settings: Sequence[FusionSettings], depth: int) -> Rankings:
    """The first hits in scope under each of the settings, a row each."""
    found = np.full((len(settings), depth), -1, np.int64)
    for (_, windows), places in _alike(settings).items():
        narrowed = candidates.retrieved.narrowed(dict(windows))
        fused = Fusion(narrowed, [settings[place] for place in places])
        ranked = fused.ranked(depth if candidates.in_scope.all() else None)
        ordered = _in_scope(ranked, candidates)[:, :depth]
        found[places, : ordered.shape[1]] = ordered
    return found


def _in_scope(ranked: Rankings, candidates: Candidates) -> Rankings:
    """The same orders without rows that are out of scope: as many in each."""
    kept = candidates.in_scope[ranked]
    return ranked if kept.all() else ranked[kept].reshape(len(ranked), -1)


def grades(candidates: Candidates, found: Rankings) -> NDArray[np.float64]:
    """The grade of each hit, 0 where there is none."""
    known = np.append(candidates.grades, 0.0)
    return np.asarray(known[found])


def _alike(settings: Sequence[FusionSettings]) -> Mapping[_Key, list[int]]:
    """Where settings stand that differ in weights and rank constant alone."""
    groups: dict[_Key, list[int]] = defaultdict(list)
    for place, one in enumerate(settings):
        windows = tuple(sorted((name, part.window) for name, part in one.lists.items()))
        groups[one.method, windows].append(place)
    return groups
