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
    gains: dict[Ordinal, list[float]] = {}
    best: dict[Ordinal, tuple[int, int]] = {}
    for candidates in lists:
        weight, place = settings.lists[candidates.name].weight, LIST_NAMES.index(candidates.name)
        for rank, ordinal in enumerate(_window(candidates), start=1):
            gains.setdefault(ordinal, []).append(weight / (settings.rank_constant + rank))
            best[ordinal] = min(best.get(ordinal, (rank, place)), (rank, place))
    held = phrases_held or {}
    hits = [FusedHit(o, math.fsum(parts), held.get(o, 0)) for o, parts in gains.items()]
    return sorted(hits, key=lambda hit: (-hit.phrases, -hit.score, best[hit.ordinal], hit.ordinal))


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
