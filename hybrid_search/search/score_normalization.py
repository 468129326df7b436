"""What one list gives to its candidates, in each way of fusing.

A candidate's part of the fused score is told by its rank in the list (from 1), or by its score
among those of the list; a list that lacks it gives nothing. The sources:

``rrf``, ``confident_rrf``
    weight / (rank_constant + rank): Cormack, Clarke and Büttcher, SIGIR 2009. The rank fusion of
    Elasticsearch (``rrf`` retriever) and OpenSearch (``score-ranker-processor``) is the same, at
    a rank constant of 60.
``qdrant_rrf``
    1 / (rank / weight + rank_constant - 1), at a rank constant of 2: a weight spaces ranks.
``weaviate_ranked``
    weight / (rank_constant + rank - 1), at 60: Weaviate's ``rankedFusion`` counts from 0.
``min_max``
    weight * (score - least) / (most - least): Weaviate's ``relativeScoreFusion``, and linear
    combination after min-max; where all scores are equal, the weight.
``opensearch_min_max``
    OpenSearch's ``normalization-processor``: the same share, .001 for the least, weighted by the
    arithmetic mean over the lists.
``z_score``
    weight * (score - mean) / standard deviation of the list; 0 where all are equal.
``dbsf``
    weight * (score - mean + 3 s) / 6 s, s the deviation of the sample: Mazzeschi, 2023, as Qdrant
    has it; one half where all are equal.
``combsum``, ``combmnz``
    The share of ``min_max`` without weights, summed; for CombMNZ times the number of lists that
    have the candidate: Fox and Shaw, TREC-2, 1994.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from hybrid_search.core import FusionMethod

Column = NDArray[np.float64]
"""A value for each candidate of a list; with a row for each of several settings before it."""

LEAST = 0.001
"""What OpenSearch gives the candidate with the lowest score, so that it is not nothing."""


def gains(
    method: FusionMethod, scores: Column, constant: Column | float, weight: Column | float
) -> Column:
    """What a list gives to each of its candidates, whose scores stand best first.

    ``constant`` and ``weight`` may be columns ``(settings, 1)``: then there is a row a setting.

    >>> gains("rrf", np.array([9.0, 4.0]), 1.0, 2.0).round(3).tolist()
    [1.0, 0.667]
    """
    ranks = np.arange(1, len(scores) + 1, dtype=np.float64)
    return np.asarray(_WAYS[method](ranks, scores, np.asarray(constant), np.asarray(weight)))


def _rrf(ranks: Column, scores: Column, constant: Column, weight: Column) -> Column:
    return np.asarray(weight / (constant + ranks))


def _spaced(ranks: Column, scores: Column, constant: Column, weight: Column) -> Column:
    # The same with both sides times the weight, which may be 0.
    return np.asarray(weight / (ranks + weight * (constant - 1.0)))


def _from_zero(ranks: Column, scores: Column, constant: Column, weight: Column) -> Column:
    return np.asarray(weight / (constant + ranks - 1.0))


def _min_max(ranks: Column, scores: Column, constant: Column, weight: Column) -> Column:
    return np.asarray(weight * _share(scores))


def _raised(ranks: Column, scores: Column, constant: Column, weight: Column) -> Column:
    return np.asarray(weight * np.maximum(_share(scores), LEAST))


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
    return np.asarray((weight > 0.0) * _share(scores))


def _share(scores: Column) -> Column:
    """Of the way from the lowest to the highest score; all of it where there is none."""
    if not len(scores):
        return scores
    way = scores.max() - scores.min()
    return (scores - scores.min()) / way if way else np.ones_like(scores)


_WAYS: Mapping[FusionMethod, Callable[[Column, Column, Column, Column], Column]] = {
    "confident_rrf": _rrf,
    "rrf": _rrf,
    "qdrant_rrf": _spaced,
    "weaviate_ranked": _from_zero,
    "min_max": _min_max,
    "opensearch_min_max": _raised,
    "z_score": _z_score,
    "dbsf": _dbsf,
    "combsum": _unweighted,
    "combmnz": _unweighted,
}
