"""Reciprocal rank fusion, plain and by evidence.

Cormack, Clarke and Büttcher: Reciprocal Rank Fusion outperforms Condorcet and individual Rank
Learning Methods, SIGIR 2009. A hit's score is the sum over lists of weight / (rank_constant +
rank), rank from 1; a list that lacks the hit adds nothing.

``confident_rrf`` multiplies each summand by how far the list's word for the hit is believed
(``evidence.py``). And it does not hold against a hit that it stands in no list it cannot stand
in: a picture without copy is found by no word, so its score is raised for those lists.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set

from hybrid_search.records import (
    LIST_NAMES,
    CandidateList,
    Contribution,
    FusedHit,
    FusionSettings,
    ListName,
    Ordinal,
)

UNSEEN = 1 / 3
"""How much a list counts that a hit cannot stand in, against one that passed it over."""
Outside = Mapping[ListName, Set[Ordinal]]
"""For each list, candidates of others that it could not hold."""


def fuse(
    lists: Sequence[CandidateList],
    settings: FusionSettings,
    phrases_held: Mapping[Ordinal, int] | None = None,
    outside: Outside | None = None,
) -> list[FusedHit]:
    """Every candidate once, best first.

    Order: the number of quoted phrases held, the fused score, the best single rank, the list
    that gave it (in the order of ``LIST_NAMES``), the ordinal. The order of ``lists`` does not
    matter: ``math.fsum`` rounds once, whatever the order of its terms.

    >>> from hybrid_search.records import ListSettings
    >>> a = CandidateList("lexical", (Ordinal(7), Ordinal(8)), (3.0, 2.0), 10)
    >>> b = CandidateList("text_to_image", (Ordinal(8),), (0.4,), 10, confidences=(0.5,))
    >>> settings = FusionSettings(1.0, {n: ListSettings(10, 1.0) for n in (a.name, b.name)})
    >>> [(hit.ordinal, round(hit.score, 4)) for hit in fuse([a, b], settings)]
    [(8, 0.5833), (7, 0.5)]
    """
    lifts = _lifts(lists, settings, outside or {})
    found: dict[Ordinal, _Gain] = {}
    several: dict[Ordinal, list[_Gain]] = {}
    for candidates in lists:
        gains = _gains(candidates, settings, lifts)
        for ordinal in found.keys() & gains.keys():
            several.setdefault(ordinal, [found[ordinal]]).append(gains[ordinal])
        found |= gains
    for ordinal, parts in several.items():
        found[ordinal] = math.fsum(gain for gain, _ in parts), min(place for _, place in parts)
    held = phrases_held or {}
    # Plain tuples sort several times faster than hits by a key.
    order = sorted(
        (-held.get(ordinal, 0), -score, place, ordinal) for ordinal, (score, place) in found.items()
    )
    return [FusedHit(o, -score, -phrases, lifts.get(o, 1.0)) for phrases, score, _, o in order]


_Gain = tuple[float, int]
"""What a list gives a hit, and where it stands: by rank, then by list."""


def _gains(
    candidates: CandidateList, settings: FusionSettings, lifts: Mapping[Ordinal, float]
) -> dict[Ordinal, _Gain]:
    window, k = _window(candidates), settings.rank_constant
    weight, place = settings.lists[candidates.name].weight, LIST_NAMES.index(candidates.name)
    values = [weight / (k + rank) for rank in range(1, len(window) + 1)]
    if candidates.confidences and settings.method == "confident_rrf":
        values = [value * believed for value, believed in zip(values, window.values(), strict=True)]
    places = range(place, len(window) * len(LIST_NAMES) + place, len(LIST_NAMES))
    gains = dict(zip(window, zip(values, places, strict=True), strict=True))
    for ordinal in lifts.keys() & gains.keys():
        value, at = gains[ordinal]
        gains[ordinal] = value * lifts[ordinal], at
    return gains


def _lifts(
    lists: Sequence[CandidateList], settings: FusionSettings, outside: Outside
) -> dict[Ordinal, float]:
    """By what the scores of hits are raised that some lists could not hold.

    A list weighs as much as its best candidate is believed. A hit's score is what the lists that
    could hold it gave, as if the others had given two thirds as much for their weight.
    """
    if settings.method == "rrf" or not any(outside.values()):
        return {}
    weights = {c.name: settings.lists[c.name].weight * c.confidence for c in lists}
    total = math.fsum(weights.values())
    missing: dict[Ordinal, float] = {}
    for name in LIST_NAMES:
        for ordinal in outside.get(name, ()):
            missing[ordinal] = missing.get(ordinal, 0.0) + weights.get(name, 0.0)
    return {
        ordinal: total / (total - (1.0 - UNSEEN) * weight)
        for ordinal, weight in missing.items()
        if weight > 0.0
    }


def contributions(
    hit: FusedHit, lists: Sequence[CandidateList], settings: FusionSettings
) -> tuple[Contribution, ...]:
    """What each list gave to that hit, in the order of the lists; they add up to its score."""
    return tuple(_contribution(hit, candidates, settings) for candidates in lists)


def _window(candidates: CandidateList) -> dict[Ordinal, float]:
    """The list's ordinals inside its window, each once, at its best rank, with its confidence."""
    inside = candidates.ordinals[: candidates.window]
    believed = candidates.confidences[: candidates.window] or (1.0,) * len(inside)
    window: dict[Ordinal, float] = {}
    for ordinal, confidence in zip(inside, believed, strict=True):
        window.setdefault(ordinal, confidence)
    return window


def _contribution(
    hit: FusedHit, candidates: CandidateList, settings: FusionSettings
) -> Contribution:
    name, weight = candidates.name, settings.lists[candidates.name].weight
    window = _window(candidates)
    if hit.ordinal not in window:
        absent = "not_matched" if candidates.exhausted else "below_window"
        return Contribution(name, None, None, weight, 0.0, 0.0, absent)  # type: ignore[arg-type]  # one of the two literals
    rank = list(window).index(hit.ordinal) + 1
    score = candidates.scores[candidates.ordinals.index(hit.ordinal)]
    confidence = window[hit.ordinal] if settings.method == "confident_rrf" else 1.0
    gain = weight / (settings.rank_constant + rank) * confidence * hit.lift
    return Contribution(name, rank, score, weight, confidence, gain)
