"""The same candidates fused by many settings at once.

What comes out is the order of ``fusion.fuse`` and the phrase guarantee, but for sums that differ
in their last bits: scores are rounded to 12 digits, and what ties then stands as all ties do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hybrid_search.core import LIST_NAMES, FusionSettings, ListName
from hybrid_search.relevance.candidate_cache import CachedList, Candidates
from hybrid_search.search.fusion import UNSEEN
from hybrid_search.search.score_normalization import gains

Rankings = NDArray[np.int64]
"""``(settings, hits)``: columns of the candidates, best first; -1 where there are no more."""

_Key = tuple[str, tuple[tuple[ListName, int], ...]]
_NOWHERE = 1 << 40


def rankings(candidates: Candidates, settings: Sequence[FusionSettings], depth: int) -> Rankings:
    """The first hits under each of the settings, a row each."""
    found = np.full((len(settings), depth), -1, np.int64)
    for places in _alike(settings).values():
        ordered = _Fused(candidates, [settings[place] for place in places]).order(depth)
        found[places, : ordered.shape[1]] = ordered
    return found


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


class _Fused:
    """Scores of all candidates under settings of one method and the same windows."""

    def __init__(self, candidates: Candidates, settings: Sequence[FusionSettings]) -> None:
        first = settings[0]
        self._candidates, self._settings, self._method = candidates, settings, first.method
        self._lists = [_cut(c, first) for c in candidates.lists if c.name in first.lists]
        count = len(candidates.ids)
        self._scores = np.zeros((len(settings), count))
        self._best = np.full(count, _NOWHERE)
        self._held = np.zeros(count)
        for cached in self._lists:
            self._add(cached)
        if first.method == "combmnz":
            self._scores *= self._held
        if first.method == "confident_rrf":
            self._lift()

    def order(self, depth: int) -> Rankings:
        """Columns, best first: by phrases held, score, best place and ordinal."""
        present = np.flatnonzero(self._present())
        base = present[np.argsort(self._best[present], kind="stable")]
        falling = np.argsort(-np.round(self._scores[:, base], 12), axis=1, kind="stable")
        found = base[falling]
        if self._candidates.phrases.any():
            tiers = np.argsort(-self._candidates.phrases[found], axis=1, kind="stable")
            found = np.take_along_axis(found, tiers, axis=1)
        return np.asarray(found[:, :depth])

    def _present(self) -> NDArray[np.bool_]:
        """Candidates of any list; the holders of a phrase alone where there are too many."""
        cut = any(cached.name == "phrase" and not cached.exhausted for cached in self._lists)
        present = self._best < _NOWHERE
        return present & (self._candidates.phrases > 0) if cut else present

    def _add(self, cached: CachedList) -> None:
        constants = np.array([[one.rank_constant] for one in self._settings])
        gain = gains(self._method, cached.scores, constants, self._weights(cached.name)[:, None])
        if self._method == "confident_rrf" and cached.confidences is not None:
            gain = gain * cached.confidences
        inside = np.flatnonzero(cached.columns >= 0)
        columns = cached.columns[inside]
        self._scores[:, columns] += gain[:, inside]
        self._held[columns] += 1.0
        places = (inside + 1) * len(LIST_NAMES) + LIST_NAMES.index(cached.name)
        self._best[columns] = np.minimum(self._best[columns], places)

    def _weights(self, name: ListName) -> NDArray[np.float64]:
        return np.array([one.lists[name].weight for one in self._settings])

    def _lift(self) -> None:
        """Raise what some lists could not hold, as ``fusion.py`` does."""
        weights = {c.name: self._weights(c.name) * _believed(c) for c in self._lists}
        total = sum(weights.values(), np.zeros(len(self._settings)))
        lifts = np.ones_like(self._scores)
        for names, mask in self._candidates.outside:
            missing = sum((weights[n] for n in names if n in weights), np.zeros_like(total))
            rest = total - (1.0 - UNSEEN) * missing
            factor = np.where(missing > 0.0, total / np.where(rest > 0.0, rest, 1.0), 1.0)
            # A list that is missed without a weight leaves an earlier lift as it is.
            lifts[:, mask] = np.where((missing > 0.0)[:, None], factor[:, None], lifts[:, mask])
        self._scores *= lifts


def _cut(cached: CachedList, settings: FusionSettings) -> CachedList:
    window = settings.lists[cached.name].window
    if window >= len(cached.columns):
        return cached
    confidences = None if cached.confidences is None else cached.confidences[:window]
    return CachedList(
        cached.name, cached.columns[:window], cached.scores[:window], confidences, exhausted=False
    )


def _believed(cached: CachedList) -> float:
    """How far the list's best candidate is."""
    if not len(cached.columns):
        return 0.0
    return 1.0 if cached.confidences is None else float(cached.confidences.max())
