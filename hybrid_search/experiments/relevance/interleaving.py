"""Which of two rankings people prefer, told by what they click in both mixed together.

Team draft: Radlinski, Kurup and Joachims, How Does Clickthrough Data Reflect Retrieval Quality?,
CIKM 2008.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from math import comb
from typing import Literal

import numpy as np

Team = Literal["a", "b"]


@dataclass(frozen=True, slots=True)
class Mixed:
    """Two rankings in one, and which of them each hit is counted for."""

    hits: tuple[str, ...]
    teams: tuple[Team, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the clicks of many searches say."""

    wins_a: int
    wins_b: int
    ties: int
    """Searches without clicks, or with as many on either side: they say nothing."""
    p: float
    """Two-sided, of the sign test over the searches that were won."""

    @property
    def winner(self) -> Team | None:
        """The better one at a level of .05; ``None`` while neither can be told to be."""
        if self.p >= 0.05:
            return None
        return "a" if self.wins_a > self.wins_b else "b"


def team_draft(a: Sequence[str], b: Sequence[str], size: int, chance: np.random.Generator) -> Mixed:
    """Both rankings mixed: by turns, who goes first by lot, each takes its best that is left.

    >>> mixed = team_draft(["x", "y"], ["y", "z"], 3, np.random.default_rng(0))
    >>> sorted(mixed.hits), len(mixed.teams)
    (['x', 'y', 'z'], 3)
    """
    hits: list[str] = []
    teams: list[Team] = []
    rankings: dict[Team, Sequence[str]] = {"a": a, "b": b}
    while len(hits) < size:
        before = len(hits)
        order: tuple[Team, Team] = ("a", "b") if chance.random() < 0.5 else ("b", "a")
        for team in order:
            left = next((hit for hit in rankings[team] if hit not in hits), None)
            if left is not None and len(hits) < size:
                hits.append(left)
                teams.append(team)
        if len(hits) == before:
            break
    return Mixed(tuple(hits), tuple(teams))


def won(mixed: Mixed, clicked: Set[str]) -> Team | None:
    """Whose hits were clicked more; ``None`` for a tie."""
    counts = {"a": 0, "b": 0}
    for hit, team in zip(mixed.hits, mixed.teams, strict=True):
        counts[team] += hit in clicked
    if counts["a"] == counts["b"]:
        return None
    return "a" if counts["a"] > counts["b"] else "b"


def verdict(outcomes: Iterable[Team | None]) -> Verdict:
    """The verdict over the outcomes of many searches.

    >>> verdict(["a"] * 9 + ["b"] + [None]).winner
    'a'
    """
    found = list(outcomes)
    wins_a, wins_b = found.count("a"), found.count("b")
    return Verdict(wins_a, wins_b, found.count(None), sign_test(wins_a, wins_b))


def sign_test(one: int, other: int) -> float:
    """Two-sided p that a fair coin falls so unevenly: exact.

    >>> sign_test(9, 1)
    0.021484375
    """
    count, fewer = one + other, min(one, other)
    tail: float = sum(comb(count, k) for k in range(fewer + 1)) / 2**count
    return min(1.0, 2.0 * tail)
