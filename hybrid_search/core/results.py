"""Candidate lists, what is fused from them, and what is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from hybrid_search.core.assets import Asset, AssetId, Ordinal, StoredAsset
from hybrid_search.core.candidate_lists import ListName
from hybrid_search.core.notes import Note
from hybrid_search.core.queries import FusionMethod
from hybrid_search.core.query_log import Team

Absence = Literal["not_matched", "below_window"]


@dataclass(frozen=True, slots=True)
class Contribution:
    """Contribution of one list to one hit."""

    list: ListName
    rank: int | None
    """From 1; ``None`` when the hit is absent from the list."""
    score: float | None
    """The retriever's own score; of an absent hit, its score where that can be known."""
    weight: float
    """The list's, as it was set."""
    confidence: float
    """Confidence of the hit in this list, 0 to 1."""
    contribution: float
    absent: Absence | None = None


class FusedHit(NamedTuple):
    """One asset in the fused order."""

    arrival: Ordinal
    score: float
    phrases: int
    """How many of the query's quoted phrases the hit contains: the strict tier it stands in."""
    lift: float = 1.0
    """By what its score was raised for the lists that it cannot stand in."""
    matched: bool = True
    team: Team | None = None
    """For whom it counts, where two rankings were mixed."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one field's text, as character offsets into the original: [start, end)."""

    field: str
    start: int
    end: int
    index: int = 0
    """Which run of that field's name, for fields with several (tags)."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One result, ready to be shown."""

    rank: int
    score: float
    stored: StoredAsset
    phrases: int
    matched: bool = True
    """Whether it matches the query, or is only related."""
    matched_fields: tuple[str, ...] = ()
    highlights: tuple[Span, ...] = ()
    contributions: tuple[Contribution, ...] = ()
    """Filled when the query asked to explain."""
    lift: float = 1.0
    """Factor of the score for lists that cannot contain the hit, such as words for a picture
    without text. Contributions include it."""
    team: Team | None = None
    """For whom it counts, where two rankings were mixed."""

    @property
    def id(self) -> AssetId:
        """The id of the asset."""
        return self.stored.asset.id

    @property
    def asset(self) -> Asset:
        """The asset."""
        return self.stored.asset


@dataclass(frozen=True, slots=True)
class FacetValue:
    """One value of a field, and how many of the matches hold it."""

    value: str | int | float | bool
    assets: int


@dataclass(frozen=True, slots=True)
class FacetTotals:
    """The matches that the listed values of a field do not show."""

    other: int
    """Those with other values only."""
    missing: int
    """Those without a value."""


@dataclass(frozen=True, slots=True)
class Facet:
    """The values of a field among the matches."""

    values: tuple[FacetValue, ...]
    """Those of most assets first, then by value."""
    totals: FacetTotals


@dataclass(frozen=True, slots=True)
class Totals:
    """How many assets match, and how many candidates are only related."""

    matched: int
    related: int


@dataclass(frozen=True, slots=True)
class ListReport:
    """What one list did for one answer."""

    name: ListName
    window: int
    weight: float
    found: int
    total: int | None
    plan: str
    confidence: float
    """Confidence of the list's best candidate, 0 to 1; always 1 for fusion methods that do not
    use it."""
    evidence: str
    """Why, in numbers."""


@dataclass(frozen=True, slots=True)
class Otherwise:
    """Where an asset would stand if one setting were another."""

    setting: str
    """``rank_constant`` or ``weight.LIST``."""
    value: float
    rank: int | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an asset stands where it does in the answer to a query, or does not stand in it."""

    rank: int | None
    """From 1; ``None`` when no list has it as a candidate, or it was left out."""
    hit: Hit
    """As in an answer; what it shows of rank and score counts only with a ``rank``."""
    candidates: int
    admitted: bool
    """Whether filter and excluded words let it in."""
    lists: tuple[ListReport, ...]
    rank_constant: float
    fusion: FusionMethod
    otherwise: tuple[Otherwise, ...]
    """Other settings, one changed at a time, in the order of the lists."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A page of hits and how it came about."""

    hits: tuple[Hit, ...]
    candidates: int
    """How many fused candidates there are to page through."""
    cursor: str | None
    """Asks for the next page; ``None`` on the last one."""
    sequence: int
    """The last operation this answer saw."""
    phrases: tuple[str, ...]
    notes: tuple[Note, ...]
    did_you_mean: tuple[str, ...]
    """The query with unknown words replaced by near ones, likeliest first."""
    totals: Totals
    facets: Mapping[str, tuple[FacetValue, ...]]
    """For each field asked for, its values among the matches: those of most assets first."""
    facet_totals: Mapping[str, FacetTotals]
    """For each of these fields, the matches that its values do not show."""
    lists: tuple[ListReport, ...]
    rank_constant: float
    fusion: FusionMethod
    good_match: bool
    """Whether anything matches, or confidence is not calibrated."""
    token: str
    """Names the candidates that this answer was fused from."""
    reused: bool
    """Whether they are those of an earlier answer, as the query asked for."""
    took_ms: float
    configuration: str = ""
    """How the lists were fused, in a line; of two rankings that were mixed, both."""
    challenger: str = ""
    """Whose ranking was mixed into the configured one; mostly empty."""
    search_id: str | None = None
    """What names the search in the log, where there is one."""
