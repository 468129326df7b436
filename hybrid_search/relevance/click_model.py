"""Judgments from clicks, corrected for position bias.

The position-based model (Craswell, Zoeter, Taylor and Ramsey, WSDM 2008): a hit is clicked if its
rank is examined and the hit is attractive, two independent events. Both probabilities are estimated
by expectation maximisation (Chuklin, Markov and de Rijke, Click Models for Web Search, 2015).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybrid_search.analysis.normalize import normalise
from hybrid_search.core import LoggedSearch
from hybrid_search.core.errors import InvalidInput

ROUNDS = 200
_Pair = tuple[str, str]
"""A query and an asset."""
_Column = NDArray[np.int64]
_Values = NDArray[np.float64]
_PRIOR = 1.0
"""Pseudo-examinations of every hit with the mean attraction: one click is weak evidence."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One search: its hits, best first, and the clicked ones."""

    query: str
    hits: tuple[str, ...]
    clicked: frozenset[str]


@dataclass(frozen=True, slots=True)
class ClickModel:
    """The estimated probabilities."""

    looked_at: tuple[float, ...]
    """By rank, the probability of examination, relative to the most examined rank."""
    attraction: Mapping[_Pair, float]
    """By query and asset, the probability of a click on an examined hit."""
    looks: Mapping[_Pair, float]
    """By query and asset, the expected number of examinations."""

    def grades(self, *, least: float) -> dict[_Pair, int]:
        """Attraction in four steps, 0 to 3, of pairs with at least ``least`` examinations."""
        return {
            pair: min(3, int(4.0 * value))
            for pair, value in self.attraction.items()
            if self.looks[pair] >= least
        }


def shown_in(searches: Iterable[LoggedSearch]) -> list[Shown]:
    """The text-only searches of a log, with normalised queries."""
    return [
        Shown(" ".join(normalise(one.text).text.split()), one.shown, one.clicked)
        for one in searches
        if one.plain
    ]


def fit(searches: Sequence[Shown]) -> ClickModel:
    """The model of these searches, whose order does not matter.

    Raises ``InvalidInput`` without any hit.
    """
    if not any(one.hits for one in searches):
        raise InvalidInput("clicks: the log has no text search")
    pairs = sorted({(one.query, hit) for one in searches for hit in one.hits})
    place = {pair: at for at, pair in enumerate(pairs)}
    rows = [
        (place[one.query, hit], rank, hit in one.clicked)
        for one in searches
        for rank, hit in enumerate(one.hits)
    ]
    pair, rank, clicked = (np.array(column) for column in zip(*rows, strict=True))
    attracts, looked = _maximised(pair, rank, clicked.astype(float))
    # The data determine only the product: the most examined rank is set to 1.
    most = looked.max()
    shares = looked / most
    values, looks = np.minimum(1.0, attracts * most), np.bincount(pair, shares[rank])
    return ClickModel(
        tuple(shares.tolist()),
        dict(zip(pairs, values.tolist(), strict=True)),
        dict(zip(pairs, looks.tolist(), strict=True)),
    )


def _maximised(pair: _Column, rank: _Column, clicked: _Values) -> tuple[_Values, _Values]:
    """Attraction by pair and examination by rank; a row is one shown hit."""
    shown_by_pair, shown_by_rank = np.bincount(pair), np.bincount(rank)
    attracts, looked = np.full(len(shown_by_pair), 0.5), np.full(len(shown_by_rank), 0.5)
    for _ in range(ROUNDS):
        both = attracts[pair] * looked[rank]
        # Of an unclicked hit: the posterior that it is attractive, or that it was examined.
        unclicked_attracts = attracts[pair] * (1.0 - looked[rank]) / (1.0 - both)
        unclicked_looked = looked[rank] * (1.0 - attracts[pair]) / (1.0 - both)
        attracting = np.bincount(pair, clicked + (1.0 - clicked) * unclicked_attracts)
        looking = np.bincount(rank, clicked + (1.0 - clicked) * unclicked_looked)
        mean = attracting.sum() / len(pair)
        attracts = (attracting + _PRIOR * mean) / (shown_by_pair + _PRIOR)
        looked = looking / shown_by_rank
    return attracts, looked
