"""What was shown for a search, and what of it was clicked. Nothing says by whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hybrid_search.core.assets import AssetId
from hybrid_search.core.queries import FusionSettings

Team = Literal["a", "b"]
"""Of two rankings that are mixed: the configured one, and the challenger."""


@dataclass(frozen=True, slots=True)
class Challenger:
    """Settings of fusion that are tried against the configured ones."""

    name: str
    settings: FusionSettings


@dataclass(frozen=True, slots=True)
class LoggedSearch:
    """One search as the log keeps it."""

    id: str
    at: str
    """UTC to the minute, ISO 8601."""
    text: str
    plain: bool
    """Whether nothing but words was asked for: no pictures, filter or sorting."""
    configuration: str
    """How its lists were fused, in a line."""
    challenger: str
    """With which challenger the configured ranking was mixed; mostly empty."""
    shown: tuple[AssetId, ...]
    """The first page, best first."""
    teams: tuple[Team, ...] = ()
    """For whom each of them counts, where two rankings were mixed."""
    clicked: frozenset[AssetId] = frozenset()


@dataclass(frozen=True, slots=True)
class Click:
    """A hit of a search that was opened."""

    search_id: str
    asset: AssetId
    at: str
    """UTC to the minute, ISO 8601."""
