"""Results of interleaving as JSON."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from hybrid_search.core import Team
from hybrid_search.search.query_logger import Interleaved


class InterleavedJson(TypedDict):
    """Clicks on the configured ranking and on a challenger that was interleaved with it.

    ``p`` is valid for a number of searches that was fixed in advance, ``p_anytime`` at any time.
    ``winner`` is decided by ``p_anytime``.
    """

    challenger: str
    configuration: str
    searches: int
    since: str
    won_by_configured: int
    won_by_challenger: int
    ties: int
    p: float
    p_anytime: float
    winner: Literal["configured", "challenger"] | None


_WINNERS: dict[Team | None, Literal["configured", "challenger"] | None] = {
    None: None,
    "a": "configured",
    "b": "challenger",
}


def interleaved_to_json(mixed: Interleaved) -> InterleavedJson:
    """The result as a JSON object."""
    return {
        "challenger": mixed.challenger,
        "configuration": mixed.configuration,
        "searches": mixed.searches,
        "since": mixed.since,
        "won_by_configured": mixed.verdict.wins_a,
        "won_by_challenger": mixed.verdict.wins_b,
        "ties": mixed.verdict.ties,
        "p": mixed.verdict.p,
        "p_anytime": mixed.verdict.p_anytime,
        "winner": _WINNERS[mixed.verdict.winner],
    }
