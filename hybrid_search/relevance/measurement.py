"""Measures of settings over cached candidates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hybrid_search.core import FusionSettings
from hybrid_search.relevance.candidate_cache import Candidates
from hybrid_search.relevance.evaluation import TestQuery
from hybrid_search.relevance.experiment import Experiment, Setting
from hybrid_search.relevance.metrics import measured, parse_measure
from hybrid_search.relevance.retrieval_runs import IndexRun
from hybrid_search.relevance.sweep import Sweep, grades

DEPTH = 100
"""Hits of each ranking in a run."""
Table = NDArray[np.float64]
"""``(settings, queries)``"""


class Lab:
    """The cached candidates of an experiment's queries; measures settings on them."""

    def __init__(
        self, experiment: Experiment, tests: Sequence[TestQuery], runs: Mapping[str, IndexRun]
    ) -> None:
        self.experiment, self.tests, self._runs = experiment, tests, runs

    def found(self, index: str) -> Sequence[Candidates]:
        """The candidates from that index, by query."""
        return self._runs[index].candidates

    def values(
        self, settings: Sequence[Setting], names: Sequence[str] | None = None
    ) -> dict[str, Table]:
        """Each measure, ``(settings, queries)``."""
        names = names or self.experiment.measures
        tables = {name: np.zeros((len(settings), len(self.tests))) for name in names}
        for index, places in _by_index(settings).items():
            found = measure(self.found(index), [settings[place].fusion for place in places], names)
            for name, table in tables.items():
                table[places] = found[name]
        return tables

    def primary(self, settings: Sequence[Setting]) -> Table:
        """The first measure, ``(settings, queries)``: settings are chosen by it."""
        name = self.experiment.measures[0]
        return self.values(settings, [name])[name]

    def ids(self, setting: Setting) -> list[tuple[str, list[str]]]:
        """The first ``DEPTH`` ids of every query, by qid."""
        return [
            (found.test.qid, ranked_ids(found, setting, DEPTH))
            for found in self.found(setting.index)
        ]

    def halves(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places of development and of held-out queries, a random split of each query type."""
        rng = np.random.default_rng(self.experiment.seed)
        development: list[int] = []
        for places in places_by_type(self.tests).values():
            count = round(len(places) * self.experiment.split)
            development += rng.permutation(places)[:count].tolist()
        held_out = sorted(set(range(len(self.tests))) - set(development))
        return np.array(sorted(development), np.int64), np.array(held_out, np.int64)


def measure(
    queries: Sequence[Candidates], settings: Sequence[FusionSettings], names: Sequence[str]
) -> dict[str, Table]:
    """Each measure of every query's candidates under every setting, ``(settings, queries)``."""
    depth = max(parse_measure(name)[1] for name in names)
    tables, sweep = (
        {name: np.zeros((len(settings), len(queries))) for name in names},
        Sweep(settings),
    )
    for column, candidates in enumerate(queries):
        ranked = grades(candidates, sweep.rankings(candidates, depth))
        for name, table in tables.items():
            table[:, column] = measured(name, ranked, candidates.judged)
    return tables


def ranked_ids(candidates: Candidates, setting: Setting, depth: int) -> list[str]:
    """The ids of the first hits under the setting, best first."""
    row = Sweep([setting.fusion]).rankings(candidates, depth)[0].tolist()
    return [candidates.ids[at] for at in row if at >= 0]


def places_by_type(tests: Sequence[TestQuery]) -> dict[str, list[int]]:
    """The places of the queries of each type; types in order of first appearance."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, test in enumerate(tests):
        places[test.type].append(place)
    return dict(places)


def _by_index(settings: Sequence[Setting]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, setting in enumerate(settings):
        places[setting.index].append(place)
    return dict(places)
