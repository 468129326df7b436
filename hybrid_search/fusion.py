"""Reciprocal rank fusion.

Cormack, Clarke and Büttcher: Reciprocal Rank Fusion outperforms Condorcet and individual Rank
Learning Methods, SIGIR 2009. A hit's score is the sum over lists of weight / (rank_constant +
rank), rank from 1; a list that lacks the hit adds nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from hybrid_search.records import (
    LIST_NAMES,
    CandidateList,
    Contribution,
    FusedHit,
    FusionSettings,
    Ordinal,
)


def fuse(
    lists: Sequence[CandidateList],
    settings: FusionSettings,
    phrases_held: Mapping[Ordinal, int] | None = None,
) -> list[FusedHit]:
    """Every candidate once, best first.

    Order: the number of quoted phrases held, the fused score, the best single rank, the list
    that gave it (in the order of ``LIST_NAMES``), the ordinal. The order of ``lists`` does not
    matter: ``math.fsum`` rounds once, whatever the order of its terms.

    >>> from hybrid_search.records import ListSettings
    >>> a = CandidateList("lexical", (Ordinal(7), Ordinal(8)), (3.0, 2.0), 10)
    >>> b = CandidateList("text_to_image", (Ordinal(8),), (0.4,), 10)
    >>> settings = FusionSettings(1.0, {n: ListSettings(10, 1.0) for n in (a.name, b.name)})
    >>> [(hit.ordinal, round(hit.score, 4)) for hit in fuse([a, b], settings)]
    [(8, 0.8333), (7, 0.5)]
    """
    found: dict[Ordinal, _Gain] = {}
    several: dict[Ordinal, list[_Gain]] = {}
    for candidates in lists:
        gains = _gains(candidates, settings)
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
    return [FusedHit(ordinal, -score, -phrases) for phrases, score, _, ordinal in order]


_Gain = tuple[float, int]
"""What a list gives a hit, and where it stands: by rank, then by list."""


def _gains(candidates: CandidateList, settings: FusionSettings) -> dict[Ordinal, _Gain]:
    window, k = _window(candidates), settings.rank_constant
    weight, place = settings.lists[candidates.name].weight, LIST_NAMES.index(candidates.name)
    values = [weight / (k + rank) for rank in range(1, len(window) + 1)]
    places = range(place, len(window) * len(LIST_NAMES) + place, len(LIST_NAMES))
    return dict(zip(window, zip(values, places, strict=True), strict=True))


def contributions(
    ordinal: Ordinal, lists: Sequence[CandidateList], settings: FusionSettings
) -> tuple[Contribution, ...]:
    """What each list gave to that hit, in the order of the lists; they add up to its score."""
    return tuple(_contribution(ordinal, candidates, settings) for candidates in lists)


def _window(candidates: CandidateList) -> Sequence[Ordinal]:
    """The list's ordinals inside its window, each once, at its best rank."""
    return tuple(dict.fromkeys(candidates.ordinals[: candidates.window]))


def _contribution(
    ordinal: Ordinal, candidates: CandidateList, settings: FusionSettings
) -> Contribution:
    name, weight = candidates.name, settings.lists[candidates.name].weight
    window = _window(candidates)
    if ordinal not in window:
        absent = "not_matched" if candidates.exhausted else "below_window"
        return Contribution(name, None, None, weight, 0.0, absent)  # type: ignore[arg-type]  # one of the two literals
    rank = window.index(ordinal) + 1
    score = candidates.scores[candidates.ordinals.index(ordinal)]
    return Contribution(name, rank, score, weight, weight / (settings.rank_constant + rank))
