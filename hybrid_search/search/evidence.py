"""How far a candidate is believed: what is known, when a query is answered, of each list's hits.

A rank alone does not say whether the list knows anything. A *confidence*, from 0 to 1, says by how
much a hit stands out from chance; fusion multiplies its share by it. ``docs/fusion.md`` has the
experiments behind the constants.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

CHANCE = 0.002
"""False discoveries to be expected at which a hit is believed by half."""
DOUBT = 0.6
"""What each word leaves of the doubt that a text which holds it is about it."""
_POWER = 5
"""A match of half of the query is worth a thirty-second."""
_LEAST_DEVIATION = 1e-5
"""Equal vectors differ by rounding alone; nothing stands out from them."""

_Floats = NDArray[np.float64]


def of_words(
    shares: ArrayLike, named: ArrayLike, information: float, words: int, assets: int
) -> _Floats:
    """Confidence in matches of so many words, for the shares of their information that they hold.

    What is somebody's name is believed in full. A text that mentions all words may be about
    something else; each further word makes that less likely. A part of the query counts by a high
    power of the share, or by how unlikely it is that any of the assets holds so much by chance:
    words together say ``information`` nats, so ``assets * exp(-share * information)`` do. Long
    queries, of which nothing matches every word, live by that.

    >>> of_words([1.0, 1.0, 0.5], [True, False, False], information=8.0, words=2, assets=1000)
    array([1.  , 0.64, 0.02])
    """
    share = np.asarray(shares, np.float64)
    full = np.where(np.asarray(named, np.bool_), 1.0, 1.0 - DOUBT**words) * share**_POWER
    surprise = share * _belief(math.log(max(assets, 1)) - share * information)
    return np.asarray(np.round(np.maximum(full, surprise), 4))


def of_similarities(
    similarities: ArrayLike, mean: float, deviation: float, vectors: int
) -> _Floats:
    """Confidence in the nearest of so many vectors, best first.

    ``mean`` and ``deviation`` are those of the query's similarities to what it is not about. Of
    that, ``vectors * P(Z > z)`` lie as near by chance; of the r hits that do, that share is false
    (Benjamini and Hochberg: Controlling the False Discovery Rate, 1995). So many hits of middling
    similarity are believed as one that is outstanding. Confidence never rises with the rank.

    >>> of_similarities([0.6, 0.32, 0.3], mean=0.1, deviation=0.1, vectors=1000)
    array([0.7254, 0.0167, 0.016 ])
    """
    values = np.asarray(similarities, np.float64)
    if not len(values):
        return values
    z = (values - mean) / max(deviation, _LEAST_DEVIATION)
    found = np.arange(1, len(z) + 1)
    false = math.log(max(vectors, 1)) + _log_tail(z) - np.log(found)
    rate = np.minimum.accumulate(false[::-1])[::-1]
    return np.asarray(np.round(_belief(rate), 4))


def _belief(log_rate: float | _Floats) -> _Floats:
    """Half at the rate ``CHANCE``; a hundred times rarer, ten to one."""
    return np.asarray(1.0 / (1.0 + np.exp(np.minimum(0.5 * (log_rate - math.log(CHANCE)), 60.0))))


def _log_tail(z: _Floats) -> _Floats:
    """The logarithm of P(Z > z), to one per cent from 2 upwards; below 0, that of 0.

    Sampford: Some Inequalities on Mill's Ratio and Related Functions, 1953.
    """
    above = np.maximum(z, 0.0)
    mills = 4.0 / (3.0 * above + np.sqrt(above**2 + 8.0))
    return np.asarray(-0.5 * above**2 - 0.5 * math.log(2.0 * math.pi) + np.log(mills))
