"""Significance of a difference over queries: intervals, tests and correction of p-values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
_BATCH = 1000

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference between two settings over the same queries."""

    mean: float
    low: float
    high: float
    """95 % interval of the mean: percentile bootstrap over queries (Efron and Tibshirani, 1993)."""
    p: float
    """Two-sided p-value of a paired randomization test."""
    wins: int
    losses: int
    queries: int


def spread(difference: Difference) -> str:
    """The mean and its interval as text.

    >>> spread(Difference(0.01234, -1e-17, 0.02, 0.04, 3, 1, 9))
    '+0.0123 (+0.0000 to +0.0200)'
    """
    # Adding 0.0 turns -0.0 into 0.0.
    mean, low, high = (
        round(v, 4) + 0.0 for v in (difference.mean, difference.low, difference.high)
    )
    return f"{mean:+.4f} ({low:+.4f} to {high:+.4f})"


def compare(values: Values, base: Values, seed: int) -> Difference:
    """The difference between values of the same queries; deterministic for a seed.

    >>> found = compare(np.full(20, 0.6), np.full(20, 0.5), seed=1)
    >>> round(found.mean, 2), found.low > 0.0, found.wins
    (0.1, True, 20)
    """
    differences = values - base
    if not len(differences):
        return Difference(0.0, 0.0, 0.0, 1.0, 0, 0, 0)
    rng = np.random.default_rng(seed)
    low, high = interval(differences, rng)
    return Difference(
        mean=float(differences.mean()),
        low=low,
        high=high,
        p=randomization(differences, rng),
        wins=int((differences > 1e-12).sum()),
        losses=int((differences < -1e-12).sum()),
        queries=len(differences),
    )


def interval(values: Values, rng: np.random.Generator) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean of the values."""
    means = []
    for _ in range(RESAMPLES // _BATCH):
        places = rng.integers(0, len(values), (_BATCH, len(values)))
        means.append(values[places].mean(axis=1))
    low, high = np.quantile(np.concatenate(means), (0.025, 0.975))
    return float(low), float(high)


def randomization(differences: Values, rng: np.random.Generator) -> float:
    """Two-sided p-value of a paired randomization test with random signs.

    At least 1 / (``RESAMPLES`` + 1). Smucker, Allan and Carterette, CIKM 2007.
    """
    observed, beyond = abs(differences.mean()), 0
    for _ in range(RESAMPLES // _BATCH):
        signs = rng.choice((-1.0, 1.0), (_BATCH, len(differences)))
        beyond += int((np.abs((signs * differences).mean(axis=1)) >= observed - 1e-12).sum())
    return (beyond + 1) / (RESAMPLES + 1)


def holm(ps: Sequence[float]) -> list[float]:
    """The p-values of several comparisons with Holm's correction (1979), in the given order.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(ps)), key=lambda at: ps[at])
    corrected, highest = [0.0] * len(ps), 0.0
    for place, at in enumerate(order):
        highest = max(highest, min(1.0, (len(ps) - place) * ps[at]))
        corrected[at] = highest
    return corrected
