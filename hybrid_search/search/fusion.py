"""Reciprocal rank fusion, plain and by evidence.

Cormack, Clarke and Büttcher: Reciprocal Rank Fusion outperforms Condorcet and individual Rank
Learning Methods, SIGIR 2009. A hit's score is the sum over lists of weight / (rank_constant +
rank), rank from 1; a list that lacks the hit adds nothing.

``confident_rrf`` multiplies each summand by how far the list's word for the hit is believed
(``evidence.py``). And it does not hold against a hit that it stands in no list it cannot stand
in: a picture without copy is found by no word, so its score is raised for those lists.

What a list gives in the other ways is told by ``dialects.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hybrid_search.core import (
    LIST_NAMES,
    CandidateList,
    Contribution,
    FusedHit,
    FusionSettings,
    ListName,
    Ordinal,
)
from hybrid_search.search.score_normalization import gains

UNSEEN = 1 / 3
"""How much a list counts that a hit cannot stand in, against one that passed it over."""


class Outside(NamedTuple):
    """Candidates that some lists could not hold: without copy, or without a picture."""

    lists: Sequence[ListName]
    ordinals: Set[Ordinal]


def fuse(
    lists: Sequence[CandidateList],
    settings: FusionSettings,
    phrases_held: Mapping[Ordinal, int] | None = None,
    outside: Sequence[Outside] = (),
) -> list[FusedHit]:
    """Every candidate once, best first.

    Order: the number of quoted phrases held, the fused score, the best single rank, the list
    that gave it (in the order of ``LIST_NAMES``), the ordinal. The order of ``lists`` does not
    matter.

    >>> from hybrid_search.core import ListSettings
    >>> a = CandidateList("lexical", (Ordinal(7), Ordinal(8)), (3.0, 2.0), 10)
    >>> b = CandidateList("text_to_image", (Ordinal(8),), (0.4,), 10, confidences=(0.5,))
    >>> settings = FusionSettings(1.0, {n: ListSettings(10, 1.0) for n in (a.name, b.name)})
    >>> [(hit.ordinal, round(hit.score, 4)) for hit in fuse([a, b], settings)]
    [(8, 0.5833), (7, 0.5)]
    """
    lifts = _lifts(lists, settings, outside)
    rows = _rows(lists, settings)
    # Each candidate's rows side by side, its best place first: so sums are, to the last bit, the
    # same for the lists in any order.
    order = np.lexsort((rows.places, rows.ordinals))
    ordinals, places = rows.ordinals[order], rows.places[order]
    first = np.flatnonzero(np.diff(ordinals, prepend=0))
    ordinals, places = ordinals[first], places[first]
    raised = _placed(ordinals, lifts, 1.0)
    if settings.method == "combmnz":
        raised = np.diff(first, append=len(order)).astype(np.float64)
    scores = np.add.reduceat(rows.gains[order], first) * raised if len(first) else raised
    phrases = _placed(ordinals, phrases_held or {}, 0.0)
    # Stable: what ties in all of these stays in order of ordinal.
    best = np.lexsort((places, -scores, -phrases))
    columns = (ordinals, scores, phrases.astype(np.int64), raised)
    shown = [column[best].tolist() for column in columns]
    found = zip(*shown, [None] * len(best), strict=True)
    # Half the cost of fusion would be the checks of the ordinary way to make a named tuple.
    return [tuple.__new__(FusedHit, hit) for hit in found]


class _Rows(NamedTuple):
    """All candidates of all lists, list by list."""

    ordinals: NDArray[np.int64]
    gains: NDArray[np.float64]
    """What the list gives."""
    places: NDArray[np.int64]
    """Where the candidate stands: by rank, then by list."""


def _rows(lists: Sequence[CandidateList], settings: FusionSettings) -> _Rows:
    ordinals: list[Ordinal] = []
    given: list[NDArray[np.float64]] = [_NO_GAINS]
    places: list[NDArray[np.int64]] = [_NO_PLACES]
    for candidates in lists:
        inside = candidates.ordinals[: candidates.window]
        ranks = np.arange(1, len(inside) + 1)
        ordinals += inside
        given.append(_gains(candidates, settings))
        places.append(ranks * len(LIST_NAMES) + LIST_NAMES.index(candidates.name))
    return _Rows(np.array(ordinals, np.int64), np.concatenate(given), np.concatenate(places))


def _gains(candidates: CandidateList, settings: FusionSettings) -> NDArray[np.float64]:
    """What the list gives to each candidate in its window, before any lift."""
    scores = np.array(candidates.scores[: candidates.window], np.float64)
    weight = settings.lists[candidates.name].weight
    gain = gains(settings.method, scores, settings.rank_constant, weight)
    if settings.method == "confident_rrf" and candidates.confidences:
        gain = gain * candidates.confidences[: len(scores)]
    return gain


_NO_GAINS, _NO_PLACES = np.empty(0), np.empty(0, np.int64)


def _believed(candidates: CandidateList, count: int) -> Sequence[float]:
    return candidates.confidences[:count] or (1.0,) * count


def _placed(
    ordinals: NDArray[np.int64], values: Mapping[Ordinal, float], otherwise: float
) -> NDArray[np.float64]:
    """The value of each of the ascending ordinals, those without one as it is otherwise."""
    column = np.full(len(ordinals), otherwise)
    if values and len(ordinals):
        known = np.array(list(values), np.int64)
        places = np.minimum(np.searchsorted(ordinals, known), len(ordinals) - 1)
        there = ordinals[places] == known
        column[places[there]] = np.array(list(values.values()), float)[there]
    return column


def _lifts(
    lists: Sequence[CandidateList], settings: FusionSettings, outside: Sequence[Outside]
) -> dict[Ordinal, float]:
    """By what the scores of hits are raised that some lists could not hold.

    A list weighs as much as its best candidate is believed. A hit's score is what the lists that
    could hold it gave, as if the others had given two thirds as much for their weight.
    """
    if settings.method != "confident_rrf" or not outside:
        return {}
    weights = {c.name: settings.lists[c.name].weight * c.confidence for c in lists}
    total = math.fsum(weights.values())
    lifts: dict[Ordinal, float] = {}
    for names, ordinals in outside:
        missing = math.fsum(weights.get(name, 0.0) for name in names)
        if missing:
            lifts |= dict.fromkeys(ordinals, total / (total - (1.0 - UNSEEN) * missing))
    return lifts


def contributions(
    hit: FusedHit, lists: Sequence[CandidateList], settings: FusionSettings
) -> tuple[Contribution, ...]:
    """What each list gave to that hit, in the order of the lists; they add up to its score."""
    return tuple(_contribution(hit, candidates, settings) for candidates in lists)


def _contribution(
    hit: FusedHit, candidates: CandidateList, settings: FusionSettings
) -> Contribution:
    name, weight = candidates.name, settings.lists[candidates.name].weight
    inside = candidates.ordinals[: candidates.window]
    if hit.ordinal not in inside:
        absent = "not_matched" if candidates.exhausted else "below_window"
        return Contribution(name, None, None, weight, 0.0, 0.0, absent)  # type: ignore[arg-type]  # one of the two literals
    at = inside.index(hit.ordinal)
    plain = settings.method != "confident_rrf"
    confidence = 1.0 if plain else _believed(candidates, len(inside))[at]
    gain = float(_gains(candidates, settings)[at]) * hit.lift
    return Contribution(name, at + 1, candidates.scores[at], weight, confidence, gain)
