"""Judgments out of clicks, corrected for where a hit stood.

The position-based model (Craswell, Zoeter, Taylor and Ramsey, WSDM 2008): a hit is clicked when its
rank is looked at and it attracts, both by chance and apart from each other. Both are found by
expectation maximisation, as in Chuklin, Markov and de Rijke, Click Models for Web Search, 2015.
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
"""Looks that each hit is given beforehand, as attractive as all hits in the mean, so that one
click is no certainty."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One search: what was shown, best first, and what of it was clicked."""

    query: str
    hits: tuple[str, ...]
    clicked: frozenset[str]


@dataclass(frozen=True, slots=True)
class ClickModel:
    """What the clicks say."""

    looked_at: tuple[float, ...]
    """By rank, how often a hit there is looked at; the most seen rank is 1."""
    attraction: Mapping[_Pair, float]
    """By query and asset, how often it is clicked when it is looked at."""
    looks: Mapping[_Pair, float]
    """By query and asset, how often it was looked at, as far as its places tell."""

    def grades(self, *, least: float) -> dict[_Pair, int]:
        """Attraction in quarters as grades 0 to 3, of what was looked at ``least`` times."""
        return {
            pair: min(3, int(4.0 * value))
            for pair, value in self.attraction.items()
            if self.looks[pair] >= least
        }


def shown_in(searches: Iterable[LoggedSearch]) -> list[Shown]:
    """Those of a log that asked for nothing but words; queries in one spelling."""
    return [
        Shown(" ".join(normalise(one.text).text.split()), one.shown, one.clicked)
        for one in searches
        if one.plain
    ]


def fit(searches: Sequence[Shown]) -> ClickModel:
    """The model of these searches; the same for the same searches in any order.

    Raises ``InvalidInput`` for none.
    """
    if not any(one.hits for one in searches):
        raise InvalidInput("clicks: no search for words is in the log")
    pairs = sorted({(one.query, hit) for one in searches for hit in one.hits})
    place = {pair: at for at, pair in enumerate(pairs)}
    rows = [
        (place[one.query, hit], rank, hit in one.clicked)
        for one in searches
        for rank, hit in enumerate(one.hits)
    ]
    pair, rank, clicked = (np.array(column) for column in zip(*rows, strict=True))
    attracts, looked = _maximised(pair, rank, clicked.astype(float))
    # Only the product is known: the best seen rank is taken as always looked at.
    most = looked.max()
    shares = looked / most
    values, looks = np.minimum(1.0, attracts * most), np.bincount(pair, shares[rank])
    return ClickModel(
        tuple(shares.tolist()),
        dict(zip(pairs, values.tolist(), strict=True)),
        dict(zip(pairs, looks.tolist(), strict=True)),
    )


def _maximised(pair: _Column, rank: _Column, clicked: _Values) -> tuple[_Values, _Values]:
    """How often each pair attracts, and each rank is looked at; a row is one hit that was shown."""
    shown_by_pair, shown_by_rank = np.bincount(pair), np.bincount(rank)
    attracts, looked = np.full(len(shown_by_pair), 0.5), np.full(len(shown_by_rank), 0.5)
    for _ in range(ROUNDS):
        both = attracts[pair] * looked[rank]
        # Of a hit that was passed over: how likely it attracts, or was looked at, all the same.
        passed_attracts = attracts[pair] * (1.0 - looked[rank]) / (1.0 - both)
        passed_looked = looked[rank] * (1.0 - attracts[pair]) / (1.0 - both)
        attracting = np.bincount(pair, clicked + (1.0 - clicked) * passed_attracts)
        looking = np.bincount(rank, clicked + (1.0 - clicked) * passed_looked)
        usual = attracting.sum() / len(pair)
        attracts = (attracting + _PRIOR * usual) / (shown_by_pair + _PRIOR)
        looked = looking / shown_by_rank
    return attracts, looked
