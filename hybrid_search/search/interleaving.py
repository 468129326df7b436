"""Team-draft interleaving of two rankings, and tests of which one gets more clicks.

Radlinski, Kurup and Joachims: How Does Clickthrough Data Reflect Retrieval Quality?, CIKM 2008.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence, Set
from dataclasses import dataclass, replace
from hashlib import sha256
from math import comb, exp, lgamma, log
from typing import Generic, TypeVar

import numpy as np

from hybrid_search.core import Team
from hybrid_search.search.fusion import Order

LEVEL = 0.05
"""Significance level."""
_Hit = TypeVar("_Hit", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Interleaving(Generic[_Hit]):
    """Two rankings in one, with the team of each hit."""

    hits: tuple[_Hit, ...]
    teams: tuple[Team, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of the clicks of many interleaved searches."""

    wins_a: int
    wins_b: int
    ties: int
    """Searches without clicks, or with as many for either team."""
    p: float
    """Two-sided p-value of the sign test over the won searches; valid only if the number of
    searches was fixed in advance."""
    p_anytime: float
    """P-value that stays valid under continuous monitoring and optional stopping."""

    @property
    def winner(self) -> Team | None:
        """The better ranking if ``p_anytime`` is significant, else ``None``."""
        if self.p_anytime >= LEVEL:
            return None
        return "a" if self.wins_a > self.wins_b else "b"


def team_draft(
    a: Sequence[_Hit], b: Sequence[_Hit], size: int, rng: np.random.Generator
) -> Interleaving[_Hit]:
    """Interleave two rankings: in each round both take their best remaining hit, in random order.

    >>> drafted = team_draft(["x", "y"], ["y", "z"], 3, np.random.default_rng(0))
    >>> sorted(drafted.hits), len(drafted.teams)
    (['x', 'y', 'z'], 3)
    """
    taken: dict[_Hit, Team] = {}
    remaining = {"a": iter(a), "b": iter(b)}
    while len(taken) < size:
        before = len(taken)
        order: tuple[Team, Team] = ("a", "b") if rng.random() < 0.5 else ("b", "a")
        for team in order:
            best = next((hit for hit in remaining[team] if hit not in taken), None)
            if best is not None and len(taken) < size:
                taken[best] = team
        if len(taken) == before:
            break
    return Interleaving(tuple(taken), tuple(taken.values()))


def interleaved_order(own: Order, other: Order, search_id: str) -> Order:
    """Two orders of the same candidates interleaved; a hit keeps the score of its own order."""
    rng = search_rng(search_id)
    drafted = team_draft(own.arrivals.tolist(), other.arrivals.tolist(), len(own), rng)
    place = {
        team: {arrival: at for at, arrival in enumerate(order.arrivals.tolist())}
        for team, order in (("a", own), ("b", other))
    }
    hits = zip(drafted.hits, drafted.teams, strict=True)
    at = np.array([place[team][a] + len(own) * (team == "b") for a, team in hits], np.int64)
    return replace(own.joined(other).take(at), teams=drafted.teams)


def search_rng(search_id: str) -> np.random.Generator:
    """A generator seeded with the search id, so that every page gets the same interleaving."""
    return np.random.default_rng(int.from_bytes(sha256(search_id.encode()).digest()[:8]))


def click_winner(hits: Sequence[_Hit], teams: Sequence[Team], clicked: Set[_Hit]) -> Team | None:
    """The team with more clicked hits; ``None`` for a tie."""
    counts = {"a": 0, "b": 0}
    for hit, team in zip(hits, teams, strict=True):
        counts[team] += hit in clicked
    if counts["a"] == counts["b"]:
        return None
    return "a" if counts["a"] > counts["b"] else "b"


def verdict(outcomes: Iterable[Team | None]) -> Verdict:
    """The verdict over the outcomes of searches in order of time.

    >>> verdict(["a"] * 14 + ["b"] + [None]).winner
    'a'
    """
    found = list(outcomes)
    wins_a, wins_b = found.count("a"), found.count("b")
    p, p_anytime = sign_test(wins_a, wins_b), anytime_test(found)
    return Verdict(wins_a, wins_b, found.count(None), p, p_anytime)


def sign_test(one: int, other: int) -> float:
    """Two-sided p-value of the exact sign test.

    >>> sign_test(9, 1)
    0.021484375
    """
    count, fewer = one + other, min(one, other)
    tail: float = sum(comb(count, k) for k in range(fewer + 1)) / 2**count
    return min(1.0, 2.0 * tail)


def anytime_test(outcomes: Iterable[Team | None]) -> float:
    """P-value of a sequential sign test, valid after every search.

    One over the largest likelihood ratio so far, of a uniform mixture over all biases against a
    fair coin (Robbins, 1970). By Ville's inequality it falls below .05 for a fair coin in at most
    5 % of all runs, however often it is looked at.

    >>> round(anytime_test(["a"] * 8), 4)
    0.0352
    """
    counts, largest = {"a": 0, "b": 0}, 0.0
    for team in outcomes:
        if team is not None:
            counts[team] += 1
            largest = max(largest, _log_ratio(counts["a"], counts["b"]))
    return exp(-largest)


def _log_ratio(one: int, other: int) -> float:
    """The log likelihood ratio: beta function against 2 ** -n."""
    count = one + other
    return lgamma(one + 1) + lgamma(other + 1) - lgamma(count + 2) + count * log(2.0)
