"""What settings are worth on the candidates that were found."""

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
from hybrid_search.relevance.retrieval_runs import Asked
from hybrid_search.relevance.sweep import grades, rankings

DEPTH = 100
"""Hits of each ranking that are kept."""
Table = NDArray[np.float64]
"""``(settings, queries)``"""


class Lab:
    """The cached candidates of an experiment's queries, and what settings are worth on them."""

    def __init__(
        self, experiment: Experiment, tests: Sequence[TestQuery], asked: Mapping[str, Asked]
    ) -> None:
        self.experiment, self.tests, self._asked = experiment, tests, asked

    def found(self, index: str) -> Sequence[Candidates]:
        """What that index found, by query."""
        return self._asked[index].candidates

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
        """The measure that settings are chosen by."""
        name = self.experiment.measures[0]
        return self.values(settings, [name])[name]

    def ids(self, setting: Setting) -> list[tuple[str, list[str]]]:
        """The ranked ids of every query."""
        return [
            (found.test.qid, ranked_ids(found, setting, DEPTH))
            for found in self.found(setting.index)
        ]

    def halves(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Queries to choose on and queries to tell of, split by chance within each type."""
        chance = np.random.default_rng(self.experiment.seed)
        chosen: list[int] = []
        for places in places_by_type(self.tests).values():
            count = round(len(places) * self.experiment.split)
            chosen += chance.permutation(places)[:count].tolist()
        others = sorted(set(range(len(self.tests))) - set(chosen))
        return np.array(sorted(chosen), np.int64), np.array(others, np.int64)


def measure(
    queries: Sequence[Candidates], settings: Sequence[FusionSettings], names: Sequence[str]
) -> dict[str, Table]:
    """Each measure of every query's candidates under every setting, ``(settings, queries)``."""
    depth = max(parse_measure(name)[1] for name in names)
    tables = {name: np.zeros((len(settings), len(queries))) for name in names}
    for column, candidates in enumerate(queries):
        ranked = grades(candidates, rankings(candidates, settings, depth))
        for name, table in tables.items():
            table[:, column] = measured(name, ranked, candidates.judged)
    return tables


def ranked_ids(candidates: Candidates, setting: Setting, depth: int) -> list[str]:
    """The ids of the first hits."""
    row = rankings(candidates, [setting.fusion], depth)[0].tolist()
    return [candidates.ids[at] for at in row if at >= 0]


def places_by_type(tests: Sequence[TestQuery]) -> dict[str, list[int]]:
    """Where the queries of each type stand, in the order of their first."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, test in enumerate(tests):
        places[test.type].append(place)
    return dict(places)


def _by_index(settings: Sequence[Setting]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, setting in enumerate(settings):
        places[setting.index].append(place)
    return dict(places)
