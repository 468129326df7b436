"""Per-candidate confidence in [0, 1], computed at query time from a list's evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from hybrid_search.analysis.query_parser import ParsedQuery
from hybrid_search.core import ListName
from hybrid_search.core.arrays import Vectors
from hybrid_search.core.candidates import LISTS, CandidateList, Retrieved
from hybrid_search.core.ports.store import IndexStatistics, ListStatistics
from hybrid_search.core.similarity_baseline import expected_best, script_of
from hybrid_search.search import evidence


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
    confidences = evidence.of_words(shares, named, information, words, assets)
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
        f" the {mean:.3f} usual here; {expected_best(count):.1f} come by chance"
    )
    confidences = evidence.of_similarities(part.scores, mean, deviation, count)
    return replace(part, confidences=confidences, evidence=why)
