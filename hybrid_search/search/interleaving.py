"""Which of two rankings people prefer, told by what they click in both mixed together.

Team draft: Radlinski, Kurup and Joachims, How Does Clickthrough Data Reflect Retrieval Quality?,
CIKM 2008.
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
_Hit = TypeVar("_Hit", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Mixed(Generic[_Hit]):
    """Two rankings in one, and which of them each hit is counted for."""

    hits: tuple[_Hit, ...]
    teams: tuple[Team, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the clicks of many searches say."""

    wins_a: int
    wins_b: int
    ties: int
    """Searches without clicks, or with as many on either side: they say nothing."""
    p: float
    """Two-sided, of the sign test over the searches that were won: for a number of searches that
    was decided beforehand."""
    p_anytime: float
    """The same for whoever looks again and again, and stops when it pleases."""

    @property
    def winner(self) -> Team | None:
        """The better one at a level of .05, whenever it is looked at; ``None`` for neither yet."""
        if self.p_anytime >= LEVEL:
            return None
        return "a" if self.wins_a > self.wins_b else "b"


def team_draft(
    a: Sequence[_Hit], b: Sequence[_Hit], size: int, chance: np.random.Generator
) -> Mixed[_Hit]:
    """Both rankings mixed: by turns, who goes first by lot, each takes its best that is left.

    >>> mixed = team_draft(["x", "y"], ["y", "z"], 3, np.random.default_rng(0))
    >>> sorted(mixed.hits), len(mixed.teams)
    (['x', 'y', 'z'], 3)
    """
    taken: dict[_Hit, Team] = {}
    left = {"a": iter(a), "b": iter(b)}
    while len(taken) < size:
        before = len(taken)
        order: tuple[Team, Team] = ("a", "b") if chance.random() < 0.5 else ("b", "a")
        for team in order:
            best = next((hit for hit in left[team] if hit not in taken), None)
            if best is not None and len(taken) < size:
                taken[best] = team
        if len(taken) == before:
            break
    return Mixed(tuple(taken), tuple(taken.values()))


def mixed_order(own: Order, other: Order, search_id: str) -> Order:
    """Two orders of the same candidates in one, each hit as in the order that it came from."""
    mixed = team_draft(own.arrivals.tolist(), other.arrivals.tolist(), len(own), lots(search_id))
    place = {
        team: {arrival: at for at, arrival in enumerate(order.arrivals.tolist())}
        for team, order in (("a", own), ("b", other))
    }
    drafted = zip(mixed.hits, mixed.teams, strict=True)
    at = np.array([place[team][a] + len(own) * (team == "b") for a, team in drafted], np.int64)
    return replace(_joined(own, other).take(at), teams=mixed.teams)


def _joined(one: Order, other: Order) -> Order:
    """The columns of both, one after the other."""
    return Order(
        np.concatenate([one.rows, other.rows]),
        np.concatenate([one.arrivals, other.arrivals]),
        np.concatenate([one.scores, other.scores]),
        np.concatenate([one.phrases, other.phrases]),
        np.concatenate([one.lifts, other.lifts]),
    )


def lots(search_id: str) -> np.random.Generator:
    """The lots that are drawn for that search: the same for its every page."""
    return np.random.default_rng(int.from_bytes(sha256(search_id.encode()).digest()[:8]))


def won(hits: Sequence[_Hit], teams: Sequence[Team], clicked: Set[_Hit]) -> Team | None:
    """Whose hits were clicked more; ``None`` for a tie."""
    counts = {"a": 0, "b": 0}
    for hit, team in zip(hits, teams, strict=True):
        counts[team] += hit in clicked
    if counts["a"] == counts["b"]:
        return None
    return "a" if counts["a"] > counts["b"] else "b"


def verdict(outcomes: Iterable[Team | None]) -> Verdict:
    """The verdict over the outcomes of many searches, in the order of time.

    >>> verdict(["a"] * 14 + ["b"] + [None]).winner
    'a'
    """
    found = list(outcomes)
    wins_a, wins_b = found.count("a"), found.count("b")
    p, p_anytime = sign_test(wins_a, wins_b), anytime_test(found)
    return Verdict(wins_a, wins_b, found.count(None), p, p_anytime)


def sign_test(one: int, other: int) -> float:
    """Two-sided p that a fair coin falls so unevenly: exact.

    >>> sign_test(9, 1)
    0.021484375
    """
    count, fewer = one + other, min(one, other)
    tail: float = sum(comb(count, k) for k in range(fewer + 1)) / 2**count
    return min(1.0, 2.0 * tail)


def anytime_test(outcomes: Iterable[Team | None]) -> float:
    """P that a fair coin ever falls so unevenly, at any of the looks up to now.

    One over the greatest likelihood ratio so far of a coin of any bias, all alike, to a fair one
    (Robbins, 1970): by Ville's inequality it falls below .05 for a fair coin in one of twenty runs
    at most, however often somebody looks.

    >>> round(anytime_test(["a"] * 8), 4)
    0.0352
    """
    counts, greatest = {"a": 0, "b": 0}, 0.0
    for team in outcomes:
        if team is not None:
            counts[team] += 1
            greatest = max(greatest, _log_ratio(counts["a"], counts["b"]))
    return exp(-greatest)


def _log_ratio(one: int, other: int) -> float:
    """The logarithm of that ratio: the beta function against halves."""
    count = one + other
    return lgamma(one + 1) + lgamma(other + 1) - lgamma(count + 2) + count * log(2.0)
