"""Pools of unranked candidates to judge, from all configurations of an experiment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hybrid_search.core import FusionSettings
from hybrid_search.engine.judgment_pools import PooledQuery
from hybrid_search.relevance.evaluation import read_judgments, read_queries
from hybrid_search.relevance.experiment import Experiment
from hybrid_search.relevance.measurement import ranked_ids
from hybrid_search.relevance.retrieval_runs import Opening, retrieve_all
from hybrid_search.relevance.runner import widest


def pooled(
    opening: Opening,
    experiment: Experiment,
    folder: Path,
    *,
    defaults: FusionSettings,
    depth: int,
    unjudged: bool = False,
    progress: Callable[[int, int], None] = lambda done, whole: None,
) -> list[PooledQuery]:
    """For each text query, the assets in the first ``depth`` hits of any configuration.

    With ``unjudged``, assets that the experiment's judgments grade are left out. Queries without
    assets are left out.
    """
    settings = [one.setting(defaults) for one in experiment.configurations]
    qrels = folder / experiment.qrels
    judgments = read_judgments(qrels) if qrels.is_file() else {}
    queries = read_queries(
        folder / experiment.queries, widest(experiment, [one.fusion for one in settings], defaults)
    )
    tests = [test for test in queries if test.query.text]
    names = list(dict.fromkeys(one.index for one in settings))
    runs = retrieve_all(opening, names, [(test, {}) for test in tests], progress)
    pools = []
    for place, test in enumerate(tests):
        known = judgments.get(test.qid, {}) if unjudged else {}
        found = {
            name
            for one in settings
            for name in ranked_ids(runs[one.index].candidates[place], one, depth)
            if name not in known
        }
        if found:
            pools.append(PooledQuery(test.query.text, tuple(sorted(found))))
    return pools
