"""Cross-validation of the list weights over judged queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hybrid_search.core import FusionSettings, ListName
from hybrid_search.core.errors import InvalidInput
from hybrid_search.relevance.candidate_cache import retrieve
from hybrid_search.relevance.evaluation import read_judgments, read_queries
from hybrid_search.relevance.measurement import measure
from hybrid_search.relevance.statistics import Difference, compare
from hybrid_search.relevance.tuning.cutoffs import is_refused
from hybrid_search.relevance.tuning.tuner import best_setting, cross_validated
from hybrid_search.search.searcher import Searcher

MEASURE = "nDCG@10"
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Each list's weight is tried at these multiples of its configured weight."""
_SEED = 0


@dataclass(frozen=True, slots=True)
class WeightCheck:
    """Whether other list weights would answer new queries better."""

    before: float
    """Mean nDCG@10 with the configured weights."""
    after: float
    """Mean nDCG@10 of each query with the weights chosen on the other folds."""
    difference: Difference
    weights: Mapping[ListName, float]
    """The best weights over all queries."""
    refused: float
    """Share of "no good match" among the queries with a relevant hit in the first ten."""

    @property
    def better(self) -> bool:
        """Whether the 95 % interval of the gain lies above 0."""
        return self.difference.low > 0.0


def check_weights(
    searcher: Searcher, queries: Path, qrels: Path, settings: FusionSettings
) -> WeightCheck:
    """Cross-validate the list weights over the judged queries; each is retrieved once.

    Raises ``InvalidInput`` for files that cannot be read, or without a judged query.
    """
    judgments = read_judgments(qrels)
    found = [
        retrieve(searcher, test, judgments[test.qid])
        for test in sorted(read_queries(queries, settings), key=lambda test: test.qid)
        if judgments.get(test.qid)
    ]
    if not found:
        raise InvalidInput(f"qrels: {qrels.name} judges none of the queries in {queries.name}")
    tried = [settings, *_other_weights(settings)]
    table = measure(found, tried, [MEASURE])[MEASURE]
    held_out, best = cross_validated(table, _SEED), best_setting(table, np.arange(len(found)))
    cuts = {name: part.no_match_below for name, part in settings.lists.items()}
    answered = [one for one, value in zip(found, table[0], strict=True) if value > 0.0]
    return WeightCheck(
        before=float(table[0].mean()),
        after=float(held_out.mean()),
        difference=compare(held_out, table[0], _SEED),
        weights={name: part.weight for name, part in tried[best].lists.items()},
        refused=sum(is_refused(one, cuts) for one in answered) / max(1, len(answered)),
    )


def _other_weights(settings: FusionSettings) -> list[FusionSettings]:
    """The settings with one list's weight multiplied by one factor."""
    return [
        replace(
            settings,
            lists={**settings.lists, name: replace(part, weight=part.weight * factor)},
        )
        for name, part in settings.lists.items()
        for factor in FACTORS
    ]
