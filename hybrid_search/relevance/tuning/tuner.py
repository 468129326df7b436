"""Choice of the best setting of a grid on development queries, and its gain on held-out ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from hybrid_search.relevance.evaluation import TestQuery
from hybrid_search.relevance.experiment import Point, Setting, Value, at_point
from hybrid_search.relevance.measurement import Lab, Table, places_by_type, ranked_ids
from hybrid_search.relevance.statistics import Difference, compare
from hybrid_search.relevance.tuning.grid_search import tried_points

MAX_REGRESSIONS = 20
"""Regressed queries that are reported, at most."""
REPORTED_HITS = 6
"""Hits reported for each regressed query."""
AxisRow = tuple[Value, float, float, float]
"""A parameter value, the mean there, and the bounds of its 95 % interval."""
Pair = tuple[tuple[str, str], tuple[list[str], list[str]], Table]
"""Two parameter names, their values, and the mean at each pair of values."""


@dataclass(frozen=True, slots=True)
class Regression:
    """A query with a lower value under the tuned setting than under the base."""

    test: TestQuery
    base: float
    tuned: float
    before: Sequence[tuple[str, int]]
    """The first hits under the base: id and grade."""
    after: Sequence[tuple[str, int]]
    """The first hits under the tuned setting: id and grade."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """The best setting on the development half, measured on the held-out half.

    ``mean``, ``base_mean``, ``difference`` and everything below are over the held-out half.
    """

    point: Point
    """Empty where the base is best."""
    setting: Setting
    tried: int
    development_mean: float
    mean: float
    base_mean: float
    difference: Difference
    by_type: Mapping[str, Difference]
    regressions: Sequence[Regression]
    """The largest losses first."""
    axes: Mapping[str, Sequence[AxisRow]]
    """Of a full grid: the mean over each parameter, the other parameters at the chosen point."""
    samples: Mapping[str, Sequence[tuple[Value, float]]]
    """Of a sampled grid: each tried setting's value of a parameter, and its mean."""
    pair: Pair | None
    """Of a full grid: the means over the two parameters with most values."""

    @property
    def advice(self) -> str:
        """A recommendation in one sentence."""
        if not self.point:
            return "keep the default: no setting of the grid is better on the development queries"
        if self.difference.low <= 0.0:
            return "keep the default: the gain on held-out queries is not significant"
        return "take the tuned setting: its gain on held-out queries is significant"


def tune(lab: Lab, base: Setting) -> Tuned | None:
    """The best setting of the grid; ``None`` without a grid or with too few queries to split."""
    development, held_out = lab.halves()
    if not lab.experiment.grid.axes() or not len(development) or not len(held_out):
        return None
    trials = _Trials(lab, base, development)
    points = tried_points(lab.experiment, trials.means)
    table, settings = trials.table(points), [base, *(at_point(base, point) for point in points)]
    best = best_setting(table, development)
    tuned, before = table[best, held_out], table[0, held_out]
    seed = lab.experiment.seed
    return Tuned(
        point=points[best - 1] if best else {},
        setting=settings[best],
        tried=len(points),
        development_mean=float(table[best, development].mean()),
        mean=float(tuned.mean()),
        base_mean=float(before.mean()),
        difference=compare(tuned, before, seed),
        by_type=_by_type(tuned, before, [lab.tests[place] for place in held_out], seed),
        regressions=_regressions(lab, held_out, (table[0], base), (table[best], settings[best])),
        **_over_grid(lab, points, table[1:][:, held_out], best),
    )


class _OverGrid(TypedDict):
    axes: Mapping[str, Sequence[AxisRow]]
    samples: Mapping[str, Sequence[tuple[Value, float]]]
    pair: Pair | None


def _over_grid(lab: Lab, points: Sequence[Point], table: Table, best: int) -> _OverGrid:
    """The means over the parameters of the grid, ``table`` as ``(points, held-out queries)``."""
    grid = lab.experiment.grid
    if grid.sample is not None or grid.optuna is not None:
        return {"axes": {}, "samples": _samples(points, table), "pair": None}
    chosen = points[best - 1] if best else points[0]
    axes = _axes(points, table, chosen, lab.experiment.seed)
    return {"axes": axes, "samples": {}, "pair": _pair(grid.axes(), points, table, chosen)}


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
    """Measured points of the grid; each point is measured once."""

    def __init__(self, lab: Lab, base: Setting, development: NDArray[np.int64]) -> None:
        self._lab, self._base, self._development = lab, base, development
        self._rows: dict[tuple[tuple[str, Value], ...], NDArray[np.float64]] = {}

    def means(self, points: Sequence[Point]) -> list[float]:
        """The mean of each point over the development queries."""
        return [float(row[self._development].mean()) for row in self._measured(points)]

    def table(self, points: Sequence[Point]) -> Table:
        """``(1 + points, queries)``: the base in the first row, then each point."""
        return np.stack(self._measured([{}, *points]))

    def _measured(self, points: Sequence[Point]) -> list[NDArray[np.float64]]:
        keys = [tuple(point.items()) for point in points]
        new = [key for key in dict.fromkeys(keys) if key not in self._rows]
        if new:
            settings = [at_point(self._base, dict(key)) for key in new]
            self._rows |= dict(zip(new, self._lab.primary(settings), strict=True))
        return [self._rows[key] for key in keys]


def _by_type(
    tuned: NDArray[np.float64],
    before: NDArray[np.float64],
    tests: Sequence[TestQuery],
    seed: int,
) -> dict[str, Difference]:
    places = places_by_type(tests)
    return {kind: compare(tuned[at], before[at], seed) for kind, at in places.items()}


def _regressions(
    lab: Lab,
    queries: NDArray[np.int64],
    base: tuple[NDArray[np.float64], Setting],
    tuned: tuple[NDArray[np.float64], Setting],
) -> list[Regression]:
    """Of these queries those with a loss, the largest losses first."""
    gain = tuned[0] - base[0]
    order = queries[np.argsort(gain[queries], kind="stable")][:MAX_REGRESSIONS]
    return [
        Regression(
            test=lab.tests[place],
            base=float(base[0][place]),
            tuned=float(tuned[0][place]),
            before=_first_hits(lab, base[1], place),
            after=_first_hits(lab, tuned[1], place),
        )
        for place in order.tolist()
        if gain[place] < 0.0
    ]


def _first_hits(lab: Lab, setting: Setting, place: int) -> list[tuple[str, int]]:
    candidates = lab.found(setting.index)[place]
    grades = dict(zip(candidates.ids, candidates.grades.tolist(), strict=True))
    return [(name, int(grades[name])) for name in ranked_ids(candidates, setting, REPORTED_HITS)]


def _axes(
    points: Sequence[Point], table: Table, chosen: Point, seed: int
) -> dict[str, list[AxisRow]]:
    """The mean and interval at each value of a parameter, the other parameters as chosen."""
    axes: dict[str, list[AxisRow]] = {}
    for name in chosen:
        for point, values in zip(points, table, strict=True):
            if _equal_but(point, chosen, {name}):
                found = compare(values, np.zeros_like(values), seed)
                row = (point[name], found.mean, found.low, found.high)
                axes.setdefault(name, []).append(row)
    return axes


def _equal_but(point: Point, chosen: Point, free: Set[str]) -> bool:
    """Whether the point equals the chosen one in all parameters but the free ones."""
    return all(point[name] == chosen[name] for name in chosen if name not in free)


def _samples(points: Sequence[Point], table: Table) -> dict[str, list[tuple[Value, float]]]:
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
    first, second = names
    means = np.zeros((len(axes[first]), len(axes[second])))
    for point, values in zip(points, table, strict=True):
        if _equal_but(point, chosen, set(names)):
            at = axes[first].index(point[first]), axes[second].index(point[second])
            means[at] = values.mean()
    labels = [str(value) for value in axes[first]], [str(value) for value in axes[second]]
    return (first, second), labels, means
