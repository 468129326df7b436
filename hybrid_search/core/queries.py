"""What somebody asks for, and how the lists that answer it are fused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from hybrid_search.core.assets import AssetId
from hybrid_search.core.candidate_lists import NO_MATCH, ListName, Mode, lists_of
from hybrid_search.core.filters import Filter


@dataclass(frozen=True, slots=True)
class Example:
    """What pictures shall be like: the bytes of one, an asset that has one, or a description.

    A negative weight asks for pictures unlike it.
    """

    picture: bytes | None = None
    id: AssetId | None = None
    text: str | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ListSettings:
    """How one list takes part: how many candidates it may give, and what a rank is worth."""

    window: int
    weight: float
    no_match_below: float = NO_MATCH
    """Confidence of a candidate below which it does not match by this list."""


FusionMethod = Literal[
    "confident_rrf",
    "rrf",
    "qdrant_rrf",
    "weaviate_ranked",
    "min_max",
    "opensearch_min_max",
    "z_score",
    "dbsf",
    "combsum",
    "combmnz",
]
"""Fusion methods: reciprocal rank fusion with and without confidence, and others."""

FUSION_METHODS: tuple[FusionMethod, ...] = get_args(FusionMethod)
"""All of them, the default first."""


@dataclass(frozen=True, slots=True)
class FusionSettings:
    """Reciprocal rank fusion: its rank constant, and each list's window and weight."""

    rank_constant: float
    lists: Mapping[ListName, ListSettings]
    method: FusionMethod = "confident_rrf"

    def line(self) -> str:
        """The same in a line, for a log."""
        weights = (f"{name}={one.weight:g}" for name, one in self.lists.items())
        return f"{self.method} k={self.rank_constant:g} {' '.join(weights)}"


def restrict(settings: FusionSettings, mode: Mode) -> FusionSettings:
    """The settings with only the lists of that mode."""
    kept = {name: one for name, one in settings.lists.items() if name in lists_of(mode)}
    return replace(settings, lists=kept)


Scope = Literal["all", "matched"]
"""Which hits a search shows: also those that are only related, or the matched ones alone."""


@dataclass(frozen=True, slots=True)
class Sort:
    """An order by the value of a field instead of by relevance; assets without it come last."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody asks for: words, pictures, or both, within a filter."""

    text: str = ""
    examples: tuple[Example, ...] = ()
    filter: Filter | None = None
    size: int = 10
    offset: int = 0
    cursor: str | None = None
    fusion: FusionSettings | None = None
    """``None`` asks for the configured settings."""
    reuse: str | None = None
    """The token of an earlier result of the same search, whose candidates are fused again."""
    min_similarity: float | None = None
    """Cosine below which pictures are no candidates."""
    sort: Sort | None = None
    facets: tuple[str, ...] = ()
    """Fields whose values are counted over all matches."""
    scope: Scope | None = None
    """``None`` is all; matched for a sorted search, which shows nothing else."""
    highlight: bool = False
    """Whether hits say where in their copy the words stand."""
    search_id: str | None = None
    """Names the search in the log; a challenger's ranking is mixed only into named ones."""
    log: bool = False
    """Whether the search is kept in the log, where there is one."""
    explain: bool = False
    """Whether hits have their contributions by list; includes highlights."""
