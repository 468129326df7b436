"""The best setting of a grid: chosen on one half of the queries, told of the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybrid_search.relevance.evaluation import TestQuery
from hybrid_search.relevance.experiment import Point, Setting, Value, at_point
from hybrid_search.relevance.measurement import Lab, Table, places_by_type, ranked_ids
from hybrid_search.relevance.statistics import Difference, compare
from hybrid_search.relevance.tuning.grid_search import tried_points

WORSE = 20
"""Queries that got worse which are shown."""
SHOWN = 6
"""Hits of each of them that are shown."""
Rows = Sequence[tuple[Value, float, float, float]]
"""A parameter's values: the mean at each, and its 95 % interval."""
Pair = tuple[tuple[str, str], tuple[list[str], list[str]], Table]
"""Two parameters, their values, and the mean at each pair of them."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A query that a tuned setting answers worse than the base does."""

    test: TestQuery
    base: float
    tuned: float
    before: Sequence[tuple[str, int]]
    """The first ids with the base, and what each was judged."""
    after: Sequence[tuple[str, int]]
    """The same with the tuned setting."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """The setting that was best on the first half of the queries, measured on the other."""

    point: Point
    setting: Setting
    tried: int
    chosen_at: float
    """Its mean on the half it was chosen on."""
    mean: float
    base_mean: float
    difference: Difference
    by_type: Mapping[str, Difference]
    worse: Sequence[Lost]
    """Queries of the second half that lost most, those first."""
    axes: Mapping[str, Rows]
    """Of a whole grid, each parameter on the second half, the others as chosen."""
    scattered: Mapping[str, Sequence[tuple[Value, float]]]
    """Of a part of a grid, each setting's value of a parameter and its mean on the second half."""
    pair: Pair | None
    """Of a whole grid, the two parameters with most values."""

    @property
    def advice(self) -> str:
        """What to do, in a sentence."""
        if not self.point:
            return "keep the default: the grid has nothing better on the queries it was chosen on"
        if self.difference.low <= 0.0:
            return "keep the default: the gain does not clear its interval on other queries"
        return "take the tuned setting: its gain holds on queries it was not chosen on"


def tune(lab: Lab, base: Setting) -> Tuned | None:
    """The best point of the grid; ``None`` without one, or with too few queries to halve."""
    chosen_on, told_of = lab.halves()
    if not lab.experiment.grid.axes() or not len(chosen_on) or not len(told_of):
        return None
    trials = _Trials(lab, base, chosen_on)
    points = tried_points(lab.experiment, trials.worth)
    tried = [base, *(at_point(base, point) for point in points)]
    table = trials.table(points)
    best = best_setting(table, chosen_on)
    point = points[best - 1] if best else {}
    own, others = table[best, told_of], table[0, told_of]
    seed, told = lab.experiment.seed, table[1:][:, told_of]
    whole = lab.experiment.grid.sample is None and lab.experiment.grid.optuna is None
    at = point or points[0]
    return Tuned(
        point=point,
        setting=tried[best],
        tried=len(points),
        chosen_at=float(table[best, chosen_on].mean()),
        mean=float(own.mean()),
        base_mean=float(others.mean()),
        difference=compare(own, others, seed),
        by_type=_by_type(own, others, [lab.tests[place] for place in told_of], seed),
        worse=_worse(lab, told_of, (table[0], base), (table[best], tried[best])),
        axes=_axes(points, told, at, seed) if whole else {},
        scattered={} if whole else _scattered(points, told),
        pair=_pair(lab.experiment.grid.axes(), points, told, at) if whole else None,
    )


def best_setting(table: Table, queries: NDArray[np.int64]) -> int:
    """The row with the highest sum over these queries; of equal rows the first."""
    return int(np.argmax(np.round(table[:, queries].sum(axis=1), 12)))


def cross_validated(table: Table, seed: int, folds: int = 5) -> NDArray[np.float64]:
    """Each query's value under the setting that is best on the other folds.

    Queries are assigned to folds at random, the same for the same seed.
    """
    order = np.random.default_rng(seed).permutation(table.shape[1])
    values = np.zeros(table.shape[1])
    for fold in (order[start::folds] for start in range(folds)):
        values[fold] = table[best_setting(table, np.setdiff1d(order, fold)), fold]
    return values


class _Trials:
    """Points of the grid that were measured, each once, behind the base."""

    def __init__(self, lab: Lab, base: Setting, chosen_on: NDArray[np.int64]) -> None:
        self._lab, self._base, self._chosen_on = lab, base, chosen_on
        self._rows: dict[tuple[tuple[str, Value], ...], NDArray[np.float64]] = {}

    def worth(self, points: Sequence[Point]) -> list[float]:
        """The mean of each on the queries that are chosen on."""
        return [float(row[self._chosen_on].mean()) for row in self._measured(points)]

    def table(self, points: Sequence[Point]) -> Table:
        """The base in the first row, the points in those below."""
        return np.stack(self._measured([{}, *points]))

    def _measured(self, points: Sequence[Point]) -> list[NDArray[np.float64]]:
        keys = [tuple(point.items()) for point in points]
        new = [key for key in dict.fromkeys(keys) if key not in self._rows]
        if new:
            settings = [at_point(self._base, dict(key)) for key in new]
            self._rows |= dict(zip(new, self._lab.primary(settings), strict=True))
        return [self._rows[key] for key in keys]


def _by_type(
    own: NDArray[np.float64],
    others: NDArray[np.float64],
    tests: Sequence[TestQuery],
    seed: int,
) -> dict[str, Difference]:
    places = places_by_type(tests)
    return {kind: compare(own[at], others[at], seed) for kind, at in places.items()}


def _worse(
    lab: Lab,
    told_of: NDArray[np.int64],
    base: tuple[NDArray[np.float64], Setting],
    own: tuple[NDArray[np.float64], Setting],
) -> list[Lost]:
    """Queries that lost, those that lost most first."""
    lost = (own[0] - base[0])[told_of]
    order = told_of[np.argsort(lost, kind="stable")]
    return [
        Lost(
            lab.tests[place],
            *(float(base[0][place]), float(own[0][place])),
            *(_shown(lab, base[1], place), _shown(lab, own[1], place)),
        )
        for place in order.tolist()[:WORSE]
        if own[0][place] < base[0][place]
    ]


def _shown(lab: Lab, setting: Setting, place: int) -> list[tuple[str, int]]:
    candidates = lab.found(setting.index)[place]
    grades = dict(zip(candidates.ids, candidates.grades.tolist(), strict=True))
    return [(name, int(grades[name])) for name in ranked_ids(candidates, setting, SHOWN)]


def _axes(points: Sequence[Point], table: Table, chosen: Point, seed: int) -> dict[str, Rows]:
    """Each parameter's values, the others as chosen."""
    found: dict[str, list[tuple[Value, float, float, float]]] = {}
    for name in chosen:
        for place, point in enumerate(points):
            if all(point[other] == chosen[other] for other in chosen if other != name):
                row = table[place]
                spread = compare(row, np.zeros_like(row), seed)
                found.setdefault(name, []).append(
                    (point[name], spread.mean, spread.low, spread.high)
                )
    return dict(found)


def _scattered(points: Sequence[Point], table: Table) -> dict[str, Sequence[tuple[Value, float]]]:
    means = table.mean(axis=1).tolist()
    return {
        name: [(point[name], mean) for point, mean in zip(points, means, strict=True)]
        for name in points[0]
    }


def _pair(
    axes: Mapping[str, Sequence[Value]], points: Sequence[Point], table: Table, chosen: Point
) -> Pair | None:
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
