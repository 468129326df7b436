"""Runs an experiment: retrieve once, fuse often, measure, choose on one half, tell of the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybrid_search.experiments.evaluation import TestQuery, read_judgments, read_queries
from hybrid_search.experiments.relevance.candidates import Candidates, retrieve
from hybrid_search.experiments.relevance.cutoffs import CutOff, cut_offs
from hybrid_search.experiments.relevance.experiment import Experiment, at_point
from hybrid_search.experiments.relevance.measures import measured, parse_measure
from hybrid_search.experiments.relevance.statistics import Difference, compare, holm
from hybrid_search.experiments.relevance.sweeping import grades, rankings
from hybrid_search.ports import Catalog
from hybrid_search.records import FusionSettings
from hybrid_search.search import Searcher

DEPTH = 100
"""Hits of each ranking that are kept."""
Table = NDArray[np.float64]
"""``(settings, queries)``"""


@dataclass(frozen=True, slots=True)
class Compared:
    """A configuration, against the base over all queries."""

    name: str
    settings: FusionSettings
    means: Mapping[str, float]
    by_type: Mapping[str, float]
    """The first measure by type of query."""
    difference: Difference | None
    """Of the first measure; ``None`` for the base itself."""
    corrected: float
    """Its p, corrected for the number of comparisons."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """The setting that was best on the first half of the queries, measured on the other."""

    point: Mapping[str, float | str]
    settings: FusionSettings
    chosen_at: float
    """Its mean on the half it was chosen on."""
    mean: float
    base_mean: float
    difference: Difference
    by_type: Mapping[str, Difference]
    worse: Sequence[tuple[TestQuery, float, float]]
    """Queries of the second half that lost most: with the base, and with it."""
    axes: Mapping[str, Sequence[tuple[float | str, float, float, float]]]
    """For each parameter its values: mean and 95 % interval on the second half, the others as
    chosen."""
    pair: tuple[tuple[str, str], tuple[list[str], list[str]], Table] | None
    """The two parameters with most values, the values, and the mean at each pair of them."""

    @property
    def advice(self) -> str:
        """What to do, in a sentence."""
        if not self.point:
            return "keep the default: the grid has nothing better on the queries it was chosen on"
        if self.difference.low <= 0.0:
            return "keep the default: the gain does not clear its interval on other queries"
        return "take the tuned setting: its gain holds on queries it was not chosen on"


@dataclass(frozen=True, slots=True)
class Results:
    """All that an experiment found."""

    experiment: Experiment
    queries: Sequence[TestQuery]
    compared: Sequence[Compared]
    tuned: Tuned | None
    values: Mapping[str, Table]
    """Each measure by configuration and query."""
    runs: Mapping[str, Sequence[tuple[str, Sequence[str]]]]
    """Each configuration's ranked ids by query."""
    settings_tried: int
    cut_offs: Sequence[CutOff]


def run_experiment(
    searcher: Searcher,
    catalog: Catalog,
    experiment: Experiment,
    folder: Path,
    *,
    defaults: FusionSettings,
    progress: Callable[[], None] = lambda: None,
) -> Results:
    """The results; query files lie in the folder, ``progress`` is told of each query.

    Only judged queries count. Raises ``InvalidInput`` for files that cannot be read.
    """
    named = {one.name: one.settings(defaults) for one in experiment.configurations}
    judgments = read_judgments(folder / experiment.qrels)
    widest = _widest(list(named.values()), defaults)
    tests = [
        test
        for test in read_queries(folder / experiment.queries, widest)
        if judgments.get(test.qid)
    ]
    found = []
    for test in tests:
        found.append(retrieve(searcher, catalog, test, judgments[test.qid]))
        progress()
    lab = _Lab(experiment, found)
    settings = list(named.values())
    values = lab.values(settings)
    return Results(
        experiment=experiment,
        queries=tests,
        compared=_compared(experiment, named, values, tests),
        tuned=_tuned(lab, named[experiment.base_name]),
        values=values,
        runs={name: lab.ids(one) for name, one in named.items()},
        settings_tried=len(settings) + len(lab.points),
        cut_offs=cut_offs(lab.found, *lab.halves(), experiment.refused),
    )


def _sampled(experiment: Experiment) -> list[dict[str, float | str]]:
    """The combinations of the grid, or as many of them as are to be drawn."""
    points = list(experiment.grid.points()) if experiment.grid.axes() else []
    if experiment.grid.sample is None or experiment.grid.sample >= len(points):
        return points
    chance = np.random.default_rng(experiment.seed)
    drawn = chance.choice(len(points), experiment.grid.sample, replace=False)
    return [points[at] for at in sorted(drawn.tolist())]


class _Lab:
    """The cached candidates of an experiment's queries, and what settings are worth on them."""

    def __init__(self, experiment: Experiment, found: Sequence[Candidates]) -> None:
        self.experiment, self.found = experiment, found
        self.points = _sampled(experiment)
        self._deepest = max(parse_measure(name)[1] for name in experiment.measures)

    def values(
        self, settings: Sequence[FusionSettings], names: Sequence[str] | None = None
    ) -> dict[str, Table]:
        """Each measure, ``(settings, queries)``."""
        names = names or self.experiment.measures
        tables = {name: np.zeros((len(settings), len(self.found))) for name in names}
        for column, candidates in enumerate(self.found):
            ranked = grades(candidates, rankings(candidates, settings, self._deepest))
            for name, table in tables.items():
                table[:, column] = measured(name, ranked, candidates.judged)
        return tables

    def ids(self, settings: FusionSettings) -> list[tuple[str, list[str]]]:
        """The ranked ids of every query."""
        ranked = ((c, rankings(c, [settings], DEPTH)[0].tolist()) for c in self.found)
        return [(c.test.qid, [c.ids[at] for at in found if at >= 0]) for c, found in ranked]

    def halves(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Queries to choose on and queries to tell of, split by chance within each type."""
        chance, by_type = np.random.default_rng(self.experiment.seed), defaultdict(list)
        for place, candidates in enumerate(self.found):
            by_type[candidates.test.type].append(place)
        chosen: list[int] = []
        for places in by_type.values():
            count = round(len(places) * self.experiment.split)
            chosen += chance.permutation(places)[:count].tolist()
        others = sorted(set(range(len(self.found))) - set(chosen))
        return np.array(sorted(chosen), np.int64), np.array(others, np.int64)


def _widest(settings: Sequence[FusionSettings], defaults: FusionSettings) -> FusionSettings:
    """The defaults with the widest window that any of the settings gives a list."""
    lists = {
        name: replace(part, window=max(s.lists[name].window for s in settings if name in s.lists))
        for name, part in defaults.lists.items()
        if any(name in s.lists for s in settings)
    }
    return replace(defaults, lists=lists)


def _compared(
    experiment: Experiment,
    named: Mapping[str, FusionSettings],
    values: Mapping[str, Table],
    tests: Sequence[TestQuery],
) -> list[Compared]:
    names, primary = list(named), values[experiment.measures[0]]
    base = names.index(experiment.base_name)
    differences = {
        name: compare(primary[at], primary[base], experiment.seed)
        for at, name in enumerate(names)
        if at != base
    }
    corrected = dict(zip(differences, holm([d.p for d in differences.values()]), strict=True))
    return [
        Compared(
            name=name,
            settings=named[name],
            means={measure: float(table[at].mean()) for measure, table in values.items()},
            by_type=_by_type(primary[at], tests),
            difference=differences.get(name),
            corrected=corrected.get(name, 1.0),
        )
        for at, name in enumerate(names)
    ]


def _by_type(values: NDArray[np.float64], tests: Sequence[TestQuery]) -> dict[str, float]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, test in enumerate(tests):
        places[test.type].append(place)
    return {kind: float(values[own].mean()) for kind, own in places.items()}


def _tuned(lab: _Lab, base: FusionSettings) -> Tuned | None:
    """The best point of the grid; ``None`` without one, or with too few queries to halve."""
    points = lab.points
    chosen_on, told_of = lab.halves()
    if not points or not len(chosen_on) or not len(told_of):
        return None
    primary = lab.experiment.measures[0]
    tried = [base, *(at_point(base, point) for point in points)]
    table = lab.values(tried, [primary])[primary]
    best = int(np.argmax(np.round(table[:, chosen_on].mean(axis=1), 12)))
    point = points[best - 1] if best else {}
    own, others = table[best, told_of], table[0, told_of]
    seed, tests = lab.experiment.seed, [lab.found[place].test for place in told_of]
    return Tuned(
        point=point,
        settings=tried[best],
        chosen_at=float(table[best, chosen_on].mean()),
        mean=float(own.mean()),
        base_mean=float(others.mean()),
        difference=compare(own, others, seed),
        by_type=_differences_by_type(own, others, tests, seed),
        worse=_worse(own, others, tests),
        axes=_axes(points, table[1:][:, told_of], point or points[0], seed),
        # A sample has few whole rows: a map of it would be full of holes.
        pair=None
        if lab.experiment.grid.sample
        else _pair(lab.experiment.grid.axes(), points, table[1:][:, told_of], point or points[0]),
    )


def _differences_by_type(
    own: NDArray[np.float64],
    others: NDArray[np.float64],
    tests: Sequence[TestQuery],
    seed: int,
) -> dict[str, Difference]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, test in enumerate(tests):
        places[test.type].append(place)
    return {kind: compare(own[at], others[at], seed) for kind, at in places.items()}


def _worse(
    own: NDArray[np.float64], others: NDArray[np.float64], tests: Sequence[TestQuery]
) -> list[tuple[TestQuery, float, float]]:
    """Queries that lost, those that lost most first; twenty at most."""
    order = np.argsort(own - others, kind="stable")[:20]
    return [(tests[at], float(others[at]), float(own[at])) for at in order if own[at] < others[at]]


def _axes(
    points: Sequence[Mapping[str, float | str]],
    table: Table,
    chosen: Mapping[str, float | str],
    seed: int,
) -> dict[str, list[tuple[float | str, float, float, float]]]:
    """Each parameter's values, the others as chosen."""
    found: dict[str, list[tuple[float | str, float, float, float]]] = {}
    for name in chosen:
        for place, point in enumerate(points):
            if all(point[other] == chosen[other] for other in chosen if other != name):
                row = table[place]
                spread = compare(row, np.zeros_like(row), seed)
                found.setdefault(name, []).append(
                    (point[name], spread.mean, spread.low, spread.high)
                )
    return found


def _pair(
    axes: Mapping[str, Sequence[float | str]],
    points: Sequence[Mapping[str, float | str]],
    table: Table,
    chosen: Mapping[str, float | str],
) -> tuple[tuple[str, str], tuple[list[str], list[str]], Table] | None:
    """The means over two parameters, the others as chosen; ``None`` with fewer than two."""
    names = sorted((name for name in axes if len(axes[name]) > 1), key=lambda n: -len(axes[n]))[:2]
    if len(names) < 2:
        return None
    down, across = names
    means = np.zeros((len(axes[down]), len(axes[across])))
    for place, point in enumerate(points):
        if all(point[name] == chosen[name] for name in chosen if name not in names):
            at = axes[down].index(point[down]), axes[across].index(point[across])
            means[at] = table[place].mean()
    labels = [str(value) for value in axes[down]], [str(value) for value in axes[across]]
    return (down, across), labels, means
