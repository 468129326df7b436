"""Measures of many rankings of one query at once.

The values equal those of trec_eval (ir_measures, pytrec_eval): a grade above 0 is relevant, the
gain in nDCG is the grade, its discount is log2(rank + 1).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hybrid_search.core.errors import InvalidInput

Grades = NDArray[np.float64]
"""``(rankings, hits)``: the grade of each hit, best hit first, 0 for an unjudged one."""
Values = NDArray[np.float64]
"""``(rankings,)``"""

KINDS = ("nDCG", "MRR", "R", "P", "AP", "Success")
_NAME = re.compile(r"(nDCG|MRR|R|P|AP|Success)@([1-9][0-9]{0,3})")


def parse_measure(name: str) -> tuple[str, int]:
    """The kind and the cut of a measure such as ``nDCG@10``; raises ``InvalidInput``.

    >>> parse_measure("nDCG@10")
    ('nDCG', 10)
    """
    found = _NAME.fullmatch(name)
    if found is None:
        kinds = ", ".join(f"{kind}@K" for kind in KINDS)
        raise InvalidInput(f"measures: {name[:60]!r} is unknown; known measures are {kinds}")
    return found[1], int(found[2])


def measured(name: str, grades: Grades, judged: Sequence[float]) -> Values:
    """The measure of each ranking of one query; ``judged`` has the grades of all its judgments.

    0 for a query without relevant assets. Raises ``InvalidInput`` for an unknown measure.

    >>> measured("nDCG@10", np.array([[0.0, 1.0], [1.0, 0.0]]), [1.0]).round(3).tolist()
    [0.631, 1.0]
    """
    kind, cut = parse_measure(name)
    relevant = sum(grade > 0 for grade in judged)
    if not relevant:
        return np.zeros(len(grades))
    top = np.maximum(grades[:, :cut], 0.0)
    return _MEASURES[kind](top, np.array(sorted(judged, reverse=True)), relevant, cut)


def _ndcg(top: Grades, judged: Values, relevant: int, cut: int) -> Values:
    ideal = np.maximum(judged[:cut], 0.0)
    return np.asarray((top @ _discounts(top.shape[1])) / (ideal @ _discounts(len(ideal))))


def _discounts(count: int) -> Values:
    return np.asarray(1.0 / np.log2(np.arange(2, count + 2)))


def _mrr(top: Grades, judged: Values, relevant: int, cut: int) -> Values:
    reciprocal = (top > 0) / np.arange(1, top.shape[1] + 1)
    return np.asarray(reciprocal.max(axis=1, initial=0.0))


def _recall(top: Grades, judged: Values, relevant: int, cut: int) -> Values:
    return np.asarray((top > 0).sum(axis=1) / relevant)


def _precision(top: Grades, judged: Values, relevant: int, cut: int) -> Values:
    return np.asarray((top > 0).sum(axis=1) / cut)


def _average_precision(top: Grades, judged: Values, relevant: int, cut: int) -> Values:
    hits = top > 0
    precision = np.cumsum(hits, axis=1) / np.arange(1, top.shape[1] + 1)
    return np.asarray((precision * hits).sum(axis=1) / relevant)


def _success(top: Grades, judged: Values, relevant: int, cut: int) -> Values:
    return np.asarray((top > 0).any(axis=1).astype(np.float64))


_MEASURES: Mapping[str, Callable[[Grades, Values, int, int], Values]] = {
    "nDCG": _ndcg,
    "MRR": _mrr,
    "R": _recall,
    "P": _precision,
    "AP": _average_precision,
    "Success": _success,
}
