"""Judgments out of clicks, corrected for where a hit stood.

The position-based model (Craswell, Zoeter, Taylor and Ramsey, WSDM 2008): a hit is clicked when its
rank is looked at and it attracts, both by chance and apart from each other. Both are found by
expectation maximisation, as in Chuklin, Markov and de Rijke, Click Models for Web Search, 2015.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

ROUNDS = 50
_Pair = tuple[str, str]
"""A query and an asset."""
_PRIOR = 1.0
"""Clicks and passes that each hit is given beforehand, so that one click is no certainty."""


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

    def grades(
        self, *, least: int, counts: dict[tuple[str, str], int]
    ) -> dict[tuple[str, str], int]:
        """Attraction in quarters as grades 0 to 3, of what was shown ``least`` times at least."""
        return {
            pair: min(3, int(4.0 * value))
            for pair, value in self.attraction.items()
            if counts[pair] >= least
        }


def fit(searches: Sequence[Shown]) -> ClickModel:
    """The model of these searches; the same for the same searches in any order."""
    pairs = sorted({(one.query, hit) for one in searches for hit in one.hits})
    place = {pair: at for at, pair in enumerate(pairs)}
    rows = [
        (place[one.query, hit], rank, hit in one.clicked)
        for one in searches
        for rank, hit in enumerate(one.hits)
    ]
    pair, rank, clicked = (np.array(column) for column in zip(*rows, strict=True))
    clicked = clicked.astype(float)
    shown_by_pair, shown_by_rank = np.bincount(pair), np.bincount(rank)
    attracts, looked = np.full(len(pairs), 0.5), np.full(len(shown_by_rank), 0.5)
    for _ in range(ROUNDS):
        both = attracts[pair] * looked[rank]
        # Of a hit that was passed over: how likely it attracts, or was looked at, all the same.
        passed_attracts = attracts[pair] * (1.0 - looked[rank]) / (1.0 - both)
        passed_looked = looked[rank] * (1.0 - attracts[pair]) / (1.0 - both)
        attracts = (np.bincount(pair, clicked + (1.0 - clicked) * passed_attracts) + _PRIOR) / (
            shown_by_pair + 2.0 * _PRIOR
        )
        looked = (np.bincount(rank, clicked + (1.0 - clicked) * passed_looked) + _PRIOR) / (
            shown_by_rank + 2.0 * _PRIOR
        )
    # Only the product is known: the best seen rank is taken as always looked at.
    most = looked.max()
    values = np.minimum(1.0, attracts * most)
    return ClickModel(
        tuple((looked / most).tolist()), dict(zip(pairs, values.tolist(), strict=True))
    )


def counts(searches: Sequence[Shown]) -> dict[_Pair, int]:
    """How often each asset was shown for each query."""
    found: dict[_Pair, int] = {}
    for one in searches:
        for hit in one.hits:
            found[one.query, hit] = found.get((one.query, hit), 0) + 1
    return found
