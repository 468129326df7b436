"""Which settings of a grid are tried: all, some by chance, or what Optuna proposes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hybrid_search.core.errors import InvalidConfig
from hybrid_search.relevance.experiment import Experiment, Point, Value

BATCH = 20
"""Settings that Optuna proposes at once, for they are fused together."""
Worth = Callable[[Sequence[Point]], Sequence[float]]
"""What each of some settings is worth, on the queries that are chosen on."""


def tried_points(experiment: Experiment, worth: Worth) -> list[Point]:
    """The settings to try, in the order of the grid, or of the proposals.

    Raises ``InvalidConfig`` where Optuna is wanted and not installed.
    """
    grid = experiment.grid
    if not grid.axes():
        return []
    if grid.optuna is not None:
        return _proposed(grid.axes(), grid.optuna, experiment.seed, worth)
    points: list[Point] = list(grid.points())
    if grid.sample is None or grid.sample >= len(points):
        return points
    chance = np.random.default_rng(experiment.seed)
    drawn = chance.choice(len(points), grid.sample, replace=False)
    return [points[at] for at in sorted(drawn.tolist())]


def _proposed(axes: dict[str, list[Value]], trials: int, seed: int, worth: Worth) -> list[Point]:
    try:
        import optuna  # noqa: PLC0415  an extra
    except ImportError:
        raise InvalidConfig(
            "grid.optuna needs Optuna; run: pip install 'hybrid_search[lab]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {name: _distribution(optuna.distributions, values) for name, values in axes.items()}
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    points: list[Point] = []
    while len(points) < trials:
        asked = [study.ask(space) for _ in range(min(BATCH, trials - len(points)))]
        proposed = [dict(trial.params) for trial in asked]
        for trial, value in zip(asked, worth(proposed), strict=True):
            study.tell(trial, value)
        points += proposed
    return points


def _distribution(kinds: Any, values: list[Value]) -> Any:
    """Texts are chosen from; numbers lie between the least and the greatest of those given."""
    if any(isinstance(value, str) for value in values):
        return kinds.CategoricalDistribution(values)
    numbers = [value for value in values if not isinstance(value, str)]
    least, greatest = min(numbers), max(numbers)
    if all(isinstance(value, int) for value in numbers):
        return kinds.IntDistribution(least, greatest)
    return kinds.FloatDistribution(least, greatest, log=least > 0 and greatest >= 10 * least)
