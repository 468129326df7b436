"""Per-candidate confidence in [0, 1], computed at query time from a list's evidence.

A rank alone does not say whether a list knows anything. Confidence estimates the probability that
a candidate is relevant. Fusion multiplies its gain by it, and from a threshold on the candidate
matches. Given query and index, it rises with one score of the list and depends on nothing else: not
on rank, window or filter. ``docs/fusion.md`` has the experiments behind the constants.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from hybrid_search.analysis.query_parser import ParsedQuery
from hybrid_search.core import LISTS, ListName, ListSettings
from hybrid_search.core.arrays import Vectors
from hybrid_search.core.candidates import CandidateList, Floats, Retrieved
from hybrid_search.core.ports.store import IndexStatistics, ListPlan, ListStatistics
from hybrid_search.core.query_tree import Words
from hybrid_search.core.similarity_baseline import script_of

CHANCE = 0.002
"""The expected number of false discoveries at which confidence is one half."""
DOUBT = 0.6
"""The part of the doubt that each matched word leaves."""
_POWER = 5
"""A share of one half is worth a thirty-second."""


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


def assess(
    retrieved: Retrieved,
    parsed: ParsedQuery,
    statistics: IndexStatistics,
    vectors: Mapping[ListName, Vectors],
) -> Retrieved:
    """The same candidates with the confidence of each, and what it comes from."""
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
        return _by_similarity(part, known, vectors[part.name], parsed.meaning)
    return part


def _by_information(
    part: CandidateList, information: float, parsed: ParsedQuery, assets: int
) -> CandidateList:
    """Confidence from the share of the query's information that each match holds."""
    shares = part.shares if part.shares is not None else np.ones(len(part.rows))
    named = part.named if part.named is not None else np.zeros(len(part.rows), np.bool_)
    confidences = confidence_of_words(shares, named, information, word_count(parsed), assets)
    name = ", as its name" if named.any() else ""
    held = float(shares.max(initial=0.0))
    why = f"up to {held:.0%} of the query's {information:.1f} nats{name}"
    return replace(part, confidences=confidences, evidence=why if len(part.rows) else "")


def _by_similarity(
    part: CandidateList, known: ListStatistics, vector: Vectors, text: str
) -> CandidateList:
    """Confidence from the similarities and how far they exceed those of unrelated vectors."""
    if known.baseline is None:
        # The list holds nearly all of the few vectors: they are their own baseline.
        mean, deviation = float(np.mean(part.scores)), float(np.std(part.scores))
    else:
        mean, deviation = known.baseline.against(vector, script_of(text))
    best = float(part.scores[0])
    why = (
        f"similarity up to {best:.3f}, {(best - mean) / max(deviation, 1e-9):.1f} deviations above"
        f" the baseline of {mean:.3f}"
    )
    confidences = known.calibration.probabilities(part.scores, mean, deviation)
    return replace(
        part, confidences=confidences, evidence=why, calibrated=known.baseline is not None
    )


class Cuts:
    """The score of each list from which on its candidates reach the list's threshold."""

    def __init__(
        self,
        parsed: ParsedQuery,
        statistics: IndexStatistics,
        lists: Mapping[ListName, ListSettings],
        words: Words | None,
    ) -> None:
        self._parsed, self._statistics = parsed, statistics
        self._lists, self._words = lists, words

    def of(self, part: ListPlan) -> float | None:
        """The cut, ``None`` where the list makes nothing match.

        With quoted phrases only the list of phrases makes anything match.
        """
        if self._parsed.phrases:
            return 1.0 if LISTS[part.name].source == "phrases" else None
        threshold = self._lists[part.name].no_match_below
        if part.vector is None:
            return self._of_words(threshold)
        known = self._statistics.lists[part.name]
        if known.baseline is None:
            return None
        script = script_of(self._parsed.meaning)
        mean, deviation = known.baseline.against(part.vector, script)
        return known.calibration.cut(threshold, mean, deviation)

    def _of_words(self, threshold: float) -> float:
        """The least share, of those that an asset can hold; above 1 for none."""
        if self._words is None:
            return 0.0
        query = self._words.narrow
        units = query.all_units or 1
        shares = np.arange(units + 1) / units
        plain = np.zeros(len(shares), np.bool_)
        count = word_count(self._parsed)
        reached = confidence_of_words(
            shares, plain, query.information, count, self._statistics.assets
        )
        above = np.flatnonzero(reached >= threshold)
        return float(shares[above[0]]) if len(above) else math.inf


def word_count(parsed: ParsedQuery) -> int:
    """How many words the query has; at least 1."""
    return max(1, len(parsed.meaning.split()))


def _confidence(log_rate: float | Floats) -> Floats:
    """One half at the rate ``CHANCE``, ten to one at a hundredth of it."""
    return np.asarray(1.0 / (1.0 + np.exp(np.minimum(0.5 * (log_rate - math.log(CHANCE)), 60.0))))
