"""Per-candidate confidence in [0, 1], computed at query time from a list's evidence.

A rank alone does not say whether a list knows anything. Confidence says how clearly a candidate
exceeds chance; fusion multiplies its gain by it. ``docs/fusion.md`` has the experiments behind the
constants.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from hybrid_search.analysis.query_parser import ParsedQuery
from hybrid_search.core import ListName
from hybrid_search.core.arrays import Vectors
from hybrid_search.core.candidate_lists import LISTS
from hybrid_search.core.candidates import CandidateList, Floats, Retrieved
from hybrid_search.core.ports.store import IndexStatistics, ListStatistics
from hybrid_search.core.similarity_baseline import expected_best, script_of

CHANCE = 0.002
"""The expected number of false discoveries at which confidence is one half."""
DOUBT = 0.6
"""The part of the doubt that each matched word leaves."""
_POWER = 5
"""A share of one half is worth a thirty-second."""
_LEAST_DEVIATION = 1e-5
"""Equal vectors differ only by rounding; none exceeds chance."""


def confidence_of_words(
    shares: ArrayLike, named: ArrayLike, information: float, words: int, assets: int
) -> Floats:
    """Confidence in matches of a query of so many words, by the share of its information they hold.

    An asset whose name is the query has confidence 1. A text with all words may be about something
    else; each further word makes that less likely. A part of the query counts by a high power of
    its share, or by the expected number of random matches, ``assets * exp(-share * information)``
    with ``information`` in nats. Long queries, which nothing matches as a whole, need the latter.

    >>> confidence_of_words([1.0, 1.0, 0.5], [1, 0, 0], information=8.0, words=2, assets=1000)
    array([1.  , 0.64, 0.02])
    """
    share = np.asarray(shares, np.float64)
    full = np.where(np.asarray(named, np.bool_), 1.0, 1.0 - DOUBT**words) * share**_POWER
    surprise = share * _confidence(math.log(max(assets, 1)) - share * information)
    return np.asarray(np.round(np.maximum(full, surprise), 4))


def confidence_of_similarities(
    similarities: ArrayLike, mean: float, deviation: float, vectors: int
) -> Floats:
    """Confidence in the nearest of so many vectors, best first; it never rises with the rank.

    ``mean`` and ``deviation`` are those of the query's similarities to unrelated vectors, of which
    ``vectors * P(Z > z)`` are as near by chance. Of r candidates that are at least as near, that
    share is false (Benjamini and Hochberg: Controlling the False Discovery Rate, 1995). So many
    candidates of middling similarity count as much as one that is outstanding.

    >>> confidence_of_similarities([0.6, 0.32, 0.3], mean=0.1, deviation=0.1, vectors=1000)
    array([0.7254, 0.0167, 0.016 ])
    """
    values = np.asarray(similarities, np.float64)
    if not len(values):
        return values
    z = (values - mean) / max(deviation, _LEAST_DEVIATION)
    found = np.arange(1, len(z) + 1)
    false = math.log(max(vectors, 1)) + _log_tail(z) - np.log(found)
    rate = np.minimum.accumulate(false[::-1])[::-1]
    return np.asarray(np.round(_confidence(rate), 4))


def assess(
    retrieved: Retrieved,
    parsed: ParsedQuery,
    statistics: IndexStatistics,
    vectors: Mapping[ListName, Vectors],
) -> Retrieved:
    """The same candidates with the confidence of each, and what it comes from.

    Examples are certain: pictures come in clusters whose members are all alike, so similarity to an
    example says nothing against chance.
    """
    lists = tuple(
        _assessed(part, retrieved, parsed, statistics, vectors) for part in retrieved.lists
    )
    return replace(retrieved, lists=lists)


def _assessed(
    part: CandidateList,
    retrieved: Retrieved,
    parsed: ParsedQuery,
    statistics: IndexStatistics,
    vectors: Mapping[ListName, Vectors],
) -> CandidateList:
    kind = LISTS[part.name].evidence
    if kind == "information" and part.shares is not None and part.named is not None:
        return _by_information(part, retrieved.information, parsed, statistics.assets)
    if kind == "similarity" and len(part.rows):
        known = statistics.lists[part.name]
        return _by_similarity(part, known, vectors[part.name], parsed.meaning, retrieved.among)
    return part


def _by_information(
    part: CandidateList, information: float, parsed: ParsedQuery, assets: int
) -> CandidateList:
    """Confidence from the share of the query's information that each match holds."""
    shares = part.shares if part.shares is not None else np.ones(len(part.rows))
    named = part.named if part.named is not None else np.zeros(len(part.rows), np.bool_)
    words = max(1, len(parsed.meaning.split()))
    confidences = confidence_of_words(shares, named, information, words, assets)
    name = ", as its name" if named.any() else ""
    held = float(shares.max(initial=0.0))
    why = f"up to {held:.0%} of the query's {information:.1f} nats{name}"
    return replace(part, confidences=confidences, evidence=why if len(part.rows) else "")


def _by_similarity(
    part: CandidateList, known: ListStatistics, vector: Vectors, text: str, among: int | None
) -> CandidateList:
    """Confidence from how far each similarity exceeds the baseline of unrelated vectors."""
    best = float(part.scores[0])
    if known.baseline is None:
        # The list holds nearly all of the few vectors: they are their own baseline.
        mean, deviation = float(np.mean(part.scores)), float(np.std(part.scores))
    else:
        mean, deviation = known.baseline.against(vector, script_of(text))
    count = known.vectors if among is None else among
    why = (
        f"similarity up to {best:.3f}, {(best - mean) / max(deviation, 1e-9):.1f} deviations above"
        f" the baseline of {mean:.3f}; {expected_best(count):.1f} are expected of unrelated vectors"
    )
    confidences = confidence_of_similarities(part.scores, mean, deviation, count)
    return replace(part, confidences=confidences, evidence=why)


def _confidence(log_rate: float | Floats) -> Floats:
    """One half at the rate ``CHANCE``, ten to one at a hundredth of it."""
    return np.asarray(1.0 / (1.0 + np.exp(np.minimum(0.5 * (log_rate - math.log(CHANCE)), 60.0))))


def _log_tail(z: Floats) -> Floats:
    """The logarithm of P(Z > z), to one per cent from 2 upwards; below 0, that of 0.

    Sampford: Some Inequalities on Mill's Ratio and Related Functions, 1953.
    """
    above = np.maximum(z, 0.0)
    mills = 4.0 / (3.0 * above + np.sqrt(above**2 + 8.0))
    return np.asarray(-0.5 * above**2 - 0.5 * math.log(2.0 * math.pi) + np.log(mills))
