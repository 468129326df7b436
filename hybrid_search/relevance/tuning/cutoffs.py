"""Cut-offs for "no good match", learned from judgments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybrid_search.core import LIST_NAMES, ListName
from hybrid_search.core.candidates import CandidateList
from hybrid_search.relevance.candidate_cache import Candidates

DEPTH = 10
"""A list answers a query when one of its first ``DEPTH`` candidates is relevant."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """A list's cut-off, chosen on the development half and measured on the held-out half."""

    list: ListName
    by: str
    """``confidence``, or ``score`` for a list without confidence."""
    value: float
    chosen_on: int
    """Development queries that the list answers."""
    answered: int
    """Held-out queries that the list answers."""
    refused_wrongly: float
    """Share of the ``answered`` queries whose best candidate is below the cut-off."""
    unanswered: int
    refused_rightly: float
    """Share of the ``unanswered`` queries whose best candidate is below the cut-off."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """Queries that are reported as "no good match": no list reaches its cut-off."""

    answered: int
    """Queries that any list answers."""
    refused_wrongly: float
    """Share of the ``answered`` queries."""
    unanswered: int
    refused_rightly: float
    """Share of the ``unanswered`` queries."""


def refusals(
    found: Sequence[Candidates], places: NDArray[np.int64], cuts: Mapping[ListName, float]
) -> Refusals:
    """The refusals of these cut-offs among the queries at these places."""
    queries = [found[place] for place in places.tolist()]
    answered = np.array([_answered(candidates) for candidates in queries], np.bool_)
    refused = np.array([is_refused(candidates, cuts) for candidates in queries], np.bool_)
    return Refusals(
        answered=int(answered.sum()),
        refused_wrongly=_mean(refused[answered]),
        unanswered=int((~answered).sum()),
        refused_rightly=_mean(refused[~answered]),
    )


def _answered(candidates: Candidates) -> bool:
    return any(_answers(cached, candidates) for cached in candidates.lists)


def is_refused(candidates: Candidates, cuts: Mapping[ListName, float]) -> bool:
    """Whether a search reports "no good match"; a phrase match is always a good match."""
    return not any(
        len(cached.rows) and (cached.name == "phrase" or _best(cached) >= cuts[cached.name])
        for cached in candidates.lists
    )


def cut_offs(
    found: Sequence[Candidates],
    development: NDArray[np.int64],
    held_out: NDArray[np.int64],
    refused: float,
) -> list[CutOff]:
    """For each list the highest cut-off that refuses at most that share of the answered queries.

    The share holds on the development half. The phrase list has no cut-off. Lists that answer no
    query of either half are left out.
    """
    cuts = []
    for name in LIST_NAMES[1:]:
        chosen_on = _evidence(name, [found[place] for place in development.tolist()])
        measured = _evidence(name, [found[place] for place in held_out.tolist()])
        if chosen_on.answers.any() and measured.answers.any():
            cuts.append(_cut_off(name, chosen_on, measured, refused))
    return cuts


@dataclass(frozen=True, slots=True)
class _Evidence:
    """One list over the queries for which it has candidates."""

    best: NDArray[np.float64]
    answers: NDArray[np.bool_]
    by: str


def _cut_off(name: ListName, chosen_on: _Evidence, measured: _Evidence, refused: float) -> CutOff:
    ascending = np.sort(chosen_on.best[chosen_on.answers])
    value = float(ascending[int(refused * len(ascending))])
    below, answers = measured.best < value, measured.answers
    return CutOff(
        list=name,
        by=chosen_on.by,
        value=value,
        chosen_on=len(ascending),
        answered=int(answers.sum()),
        refused_wrongly=_mean(below[answers]),
        unanswered=int((~answers).sum()),
        refused_rightly=_mean(below[~answers]),
    )


def _evidence(name: ListName, queries: Sequence[Candidates]) -> _Evidence:
    used = [
        (cached, candidates)
        for candidates in queries
        for cached in candidates.lists
        if cached.name == name and len(cached.rows)
    ]
    by = "confidence" if any(cached.confidences is not None for cached, _ in used) else "score"
    return _Evidence(
        np.array([_best(cached) for cached, _ in used]),
        np.array([_answers(cached, candidates) for cached, candidates in used], np.bool_),
        by,
    )


def _best(cached: CandidateList) -> float:
    values = cached.scores if cached.confidences is None else cached.confidences
    return float(values.max())


def _answers(cached: CandidateList, candidates: Candidates) -> bool:
    first = cached.rows[:DEPTH]
    return bool((candidates.grades[first] > 0).any())


def _mean(flags: NDArray[np.bool_]) -> float:
    """The share of true values, 0 for none."""
    return float(flags.mean()) if len(flags) else 0.0
