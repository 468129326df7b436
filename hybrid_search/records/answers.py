"""Candidate lists, what is fused from them, and what is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from hybrid_search.records.assets import Ordinal, StoredAsset
from hybrid_search.records.queries import ListName


@dataclass(frozen=True, slots=True)
class CandidateList:
    """One retriever's answer, best first; equal scores stand in order of ordinal."""

    name: ListName
    ordinals: tuple[Ordinal, ...]
    scores: tuple[float, ...]
    window: int
    total: int | None = None
    """How many assets match at all, where the retriever knows; ``None`` for nearest match."""
    plan: str = ""
    """How the list was found, for people: ``flat, exact, 1,455 vectors``."""

    @property
    def exhausted(self) -> bool:
        """Whether the list holds all that match, so that an absent asset does not match."""
        return self.total is not None and self.total <= len(self.ordinals)


Absence = Literal["not_matched", "below_window"]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one list gave to one hit."""

    list: ListName
    rank: int | None
    """From 1; ``None`` when the hit is absent from the list."""
    score: float | None
    """The retriever's own score; of an absent hit, its score where that can be known."""
    weight: float
    contribution: float
    absent: Absence | None = None


class FusedHit(NamedTuple):
    """One asset in the fused order."""

    ordinal: Ordinal
    score: float
    phrases: int
    """How many of the query's quoted phrases the hit contains: the strict tier it stands in."""


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
    matched_fields: tuple[str, ...] = ()
    highlights: tuple[Span, ...] = ()
    contributions: tuple[Contribution, ...] = ()
    """Filled when the query asked to explain."""


@dataclass(frozen=True, slots=True)
class FacetValue:
    """One value of a field, and how many of the matches hold it."""

    value: str | int | float | bool
    assets: int


@dataclass(frozen=True, slots=True)
class ListReport:
    """What one list did for one answer."""

    name: ListName
    window: int
    weight: float
    found: int
    total: int | None
    plan: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A page of hits and how it came about."""

    hits: tuple[Hit, ...]
    candidates: int
    """How many fused candidates there are to page through."""
    cursor: str | None
    """Asks for the next page; ``None`` on the last one."""
    sequence: int
    """The last operation this answer saw."""
    phrases: tuple[str, ...]
    notes: tuple[str, ...]
    did_you_mean: tuple[str, ...]
    """The query with unknown words replaced by near ones, likeliest first."""
    facets: Mapping[str, tuple[FacetValue, ...]]
    """For each field asked for, its values, those of most assets first, then by value."""
    lists: tuple[ListReport, ...]
    rank_constant: float
    took_ms: float
