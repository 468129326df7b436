"""Below which confidence a list's best candidate is no good match, learned from judgments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybrid_search.core import LIST_NAMES, ListName
from hybrid_search.relevance.candidate_cache import CachedList, Candidates

DEPTH = 10
"""A list answers a query when one of so many of its first candidates is relevant."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """A list's cut-off, chosen on one half of the queries and measured on the other."""

    list: ListName
    by: str
    """``confidence``, or ``score`` where the list is taken at its word."""
    value: float
    chosen_on: int
    """Queries of the first half that the list answers."""
    answered: int
    refused_wrongly: float
    """Share of the ``answered`` queries of the other half whose best lies below."""
    unanswered: int
    refused_rightly: float
    """Share of the ``unanswered`` ones whose best lies below."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """What is refused where no list reaches its cut-off."""

    answered: int
    """Queries that some list answers."""
    refused_wrongly: float
    """Share of these."""
    unanswered: int
    refused_rightly: float
    """Share of these."""


def refusals(
    found: Sequence[Candidates], places: NDArray[np.int64], cuts: Mapping[ListName, float]
) -> Refusals:
    """What these cut-offs refuse of the queries at these places."""
    answered, refused = (
        np.array([ask(found[place]) for place in places.tolist()], np.bool_)
        for ask in (_answered, lambda candidates: is_refused(candidates, cuts))
    )
    return Refusals(
        int(answered.sum()),
        float(refused[answered].mean()) if answered.any() else 0.0,
        int((~answered).sum()),
        float(refused[~answered].mean()) if (~answered).any() else 0.0,
    )


def _answered(candidates: Candidates) -> bool:
    return any(_answers(cached, candidates) for cached in candidates.lists)


def is_refused(candidates: Candidates, cuts: Mapping[ListName, float]) -> bool:
    """As a search is: a phrase that is there is a match."""
    return not any(
        len(cached.columns) and (cached.name == "phrase" or _best(cached) >= cuts[cached.name])
        for cached in candidates.lists
    )


def cut_offs(
    found: Sequence[Candidates],
    chosen_on: NDArray[np.int64],
    told_of: NDArray[np.int64],
    refused: float,
) -> list[CutOff]:
    """For each list the highest cut-off that refuses at most that share of what it answers.

    Lists of exact phrases have none: a phrase is there or not. Lists that answer nothing in either
    half are left out.
    """
    cuts = (_cut_off(name, found, chosen_on, told_of, refused) for name in LIST_NAMES[1:])
    return [cut for cut in cuts if cut is not None]


def _cut_off(
    name: ListName,
    found: Sequence[Candidates],
    chosen_on: NDArray[np.int64],
    told_of: NDArray[np.int64],
    refused: float,
) -> CutOff | None:
    first, second = _halved(name, found, chosen_on), _halved(name, found, told_of)
    answered = first.best[first.answers]
    if not len(answered) or not second.answers.any():
        return None
    # Of the answered queries' bests, the one that as many lie below as may be refused.
    value = float(np.sort(answered)[int(refused * len(answered))])
    below = second.best < value
    return CutOff(
        list=name,
        by=first.by,
        value=value,
        chosen_on=len(answered),
        answered=int(second.answers.sum()),
        refused_wrongly=float(below[second.answers].mean()),
        unanswered=int((~second.answers).sum()),
        refused_rightly=float(below[~second.answers].mean()) if (~second.answers).any() else 0.0,
    )


@dataclass(frozen=True, slots=True)
class _Half:
    best: NDArray[np.float64]
    answers: NDArray[np.bool_]
    by: str


def _halved(name: ListName, found: Sequence[Candidates], places: NDArray[np.int64]) -> _Half:
    """Of the queries that ask this list: its best candidate, and whether it answers them."""
    asked = [
        (cached, found[place])
        for place in places.tolist()
        for cached in found[place].lists
        if cached.name == name and len(cached.columns)
    ]
    by = "confidence" if any(cached.confidences is not None for cached, _ in asked) else "score"
    return _Half(
        np.array([_best(cached) for cached, _ in asked]),
        np.array([_answers(cached, candidates) for cached, candidates in asked], np.bool_),
        by,
    )


def _best(cached: CachedList) -> float:
    values = cached.scores if cached.confidences is None else cached.confidences
    return float(values.max())


def _answers(cached: CachedList, candidates: Candidates) -> bool:
    first = cached.columns[:DEPTH]
    return bool((candidates.grades[first[first >= 0]] > 0).any())
