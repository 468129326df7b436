"""The gain of a list's candidates under each fusion method.

The gain is a candidate's summand of the fused score. It depends on its rank in the list (from 1),
or on its score among the list's scores; a candidate that is not in the list has none. Sources:

``rrf``, ``confident_rrf``
    weight / (rank_constant + rank): Cormack, Clarke and Büttcher, SIGIR 2009. Elasticsearch
    (``rrf`` retriever) and OpenSearch (``score-ranker-processor``) use it with rank constant 60.
``qdrant_rrf``
    1 / (rank / weight + rank_constant - 1), with rank constant 2: the weight scales ranks.
``weaviate_ranked``
    weight / (rank_constant + rank - 1), with rank constant 60: Weaviate's ``rankedFusion`` counts
    ranks from 0.
``min_max``
    weight * (score - min) / (max - min): Weaviate's ``relativeScoreFusion``; the weight if all
    scores are equal.
``opensearch_min_max``
    OpenSearch's ``normalization-processor``: min-max with .001 for the lowest score, combined by
    the weighted arithmetic mean.
``z_score``
    weight * (score - mean) / standard deviation of the list; 0 if all scores are equal.
``dbsf``
    weight * (score - mean + 3 s) / 6 s with the sample deviation s: distribution-based score fusion
    (Mazzeschi, 2023), as in Qdrant; one half if all scores are equal.
``combsum``, ``combmnz``
    Min-max without weights; CombMNZ multiplies the sum by the number of lists that have the
    candidate: Fox and Shaw, TREC-2, 1994.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from hybrid_search.core import FusionMethod

Column = NDArray[np.float64]
"""``(k,)`` for one setting, ``(settings, k)`` for several."""

LOWEST = 0.001
"""Normalized score of the lowest candidate in OpenSearch."""


def gains(
    method: FusionMethod, scores: Column, constant: Column | float, weight: Column | float
) -> Column:
    """The gain of each candidate of a list, whose ``scores`` are in descending order.

    ``constant`` and ``weight`` may be ``(settings, 1)``; the result is then ``(settings, k)``.

    >>> gains("rrf", np.array([9.0, 4.0]), 1.0, 2.0).round(3).tolist()
    [1.0, 0.667]
    """
    ranks = np.arange(1, len(scores) + 1, dtype=np.float64)
    return np.asarray(_GAINS[method](ranks, scores, np.asarray(constant), np.asarray(weight)))


def _rrf(ranks: Column, scores: Column, constant: Column, weight: Column) -> Column:
    return np.asarray(weight / (constant + ranks))


def _scaled_ranks(ranks: Column, scores: Column, constant: Column, weight: Column) -> Column:
    # Numerator and denominator times the weight, which may be 0.
    return np.asarray(weight / (ranks + weight * (constant - 1.0)))


def _ranks_from_zero(ranks: Column, scores: Column, constant: Column, weight: Column) -> Column:
    return np.asarray(weight / (constant + ranks - 1.0))


def _min_max(ranks: Column, scores: Column, constant: Column, weight: Column) -> Column:
    return np.asarray(weight * _normalized(scores))


def _opensearch_min_max(ranks: Column, scores: Column, constant: Column, weight: Column) -> Column:
    return np.asarray(weight * np.maximum(_normalized(scores), LOWEST))


def _z_score(ranks: Column, scores: Column, constant: Column, weight: Column) -> Column:
    deviation = scores.std() if len(scores) else 0.0
    if not deviation:
        return np.asarray(weight * np.zeros(len(scores)))
    return np.asarray(weight * (scores - scores.mean()) / deviation)


def _dbsf(ranks: Column, scores: Column, constant: Column, weight: Column) -> Column:
    deviation = scores.std(ddof=1) if len(scores) > 1 else 0.0
    if not deviation:
        return np.asarray(weight * np.full(len(scores), 0.5))
    return np.asarray(weight * (scores - scores.mean() + 3.0 * deviation) / (6.0 * deviation))


def _unweighted(ranks: Column, scores: Column, constant: Column, weight: Column) -> Column:
    return np.asarray((weight > 0.0) * _normalized(scores))


def _normalized(scores: Column) -> Column:
    """The scores from 0 to 1 (min-max); 1 if all are equal."""
    if not len(scores):
        return scores
    spread = scores.max() - scores.min()
    return (scores - scores.min()) / spread if spread else np.ones_like(scores)


_GAINS: Mapping[FusionMethod, Callable[[Column, Column, Column, Column], Column]] = {
    "confident_rrf": _rrf,
    "rrf": _rrf,
    "qdrant_rrf": _scaled_ranks,
    "weaviate_ranked": _ranks_from_zero,
    "min_max": _min_max,
    "opensearch_min_max": _opensearch_min_max,
    "z_score": _z_score,
    "dbsf": _dbsf,
    "combsum": _unweighted,
    "combmnz": _unweighted,
}
