"""Points of a grid to try: all of them, a random sample, or the proposals of Optuna."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hybrid_search.core.errors import InvalidConfig
from hybrid_search.relevance.experiment import Experiment, Point, Value

BATCH = 20
"""Points that Optuna proposes at once; they are measured in one sweep."""
Means = Callable[[Sequence[Point]], Sequence[float]]
"""The mean of each point over the development queries."""


def tried_points(experiment: Experiment, means: Means) -> list[Point]:
    """The points to try, in grid order, or in the order of the proposals.

    Raises ``InvalidConfig`` when the grid needs Optuna and it is not installed.
    """
    grid = experiment.grid
    if not grid.axes():
        return []
    if grid.optuna is not None:
        return _proposed(grid.axes(), grid.optuna, experiment.seed, means)
    points: list[Point] = list(grid.points())
    if grid.sample is None or grid.sample >= len(points):
        return points
    rng = np.random.default_rng(experiment.seed)
    drawn = rng.choice(len(points), grid.sample, replace=False)
    return [points[at] for at in sorted(drawn.tolist())]


def _proposed(axes: dict[str, list[Value]], trials: int, seed: int, means: Means) -> list[Point]:
    try:
        import optuna  # an extra
    except ImportError:
        raise InvalidConfig(
            "grid.optuna needs Optuna; run: pip install 'hybrid_search[lab]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {name: _distribution(optuna.distributions, values) for name, values in axes.items()}
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    points: list[Point] = []
    while len(points) < trials:
        batch = [study.ask(space) for _ in range(min(BATCH, trials - len(points)))]
        proposed = [dict(trial.params) for trial in batch]
        for trial, value in zip(batch, means(proposed), strict=True):
            study.tell(trial, value)
        points += proposed
    return points


def _distribution(kinds: Any, values: list[Value]) -> Any:
    """A choice of texts, or a range from the smallest to the largest number."""
    if any(isinstance(value, str) for value in values):
        return kinds.CategoricalDistribution(values)
    numbers = [value for value in values if not isinstance(value, str)]
    low, high = min(numbers), max(numbers)
    if all(isinstance(value, int) for value in numbers):
        return kinds.IntDistribution(low, high)
    return kinds.FloatDistribution(low, high, log=low > 0 and high >= 10 * low)
