"""Search results as JSON.

The OpenAPI document is generated from these typed dictionaries.
"""

from __future__ import annotations

from typing import Any, NotRequired

from typing_extensions import TypedDict

from hybrid_search.api.schemas.assets import PictureJson, picture_to_json
from hybrid_search.core import (
    Contribution,
    Hit,
    ListReport,
    Note,
    NoteCode,
    SearchResult,
    Span,
)
from hybrid_search.core.asset_schema import asset_to_json


class SpanJson(TypedDict):
    """A match in a field: characters [start, end) of its text number ``index``."""

    field: str
    index: int
    start: int
    end: int


class ContributionJson(TypedDict):
    """The contribution of one list to the score of a hit.

    ``absent`` says why the hit is not in the list: ``not_matched`` or ``below_window``. By default
    the contribution is weight * confidence * lift / (rank_constant + rank), with the hit's lift.
    """

    list: str
    rank: int | None
    score: float | None
    weight: float
    confidence: float
    contribution: float
    absent: str | None


class HitJson(TypedDict):
    """One hit; ``lists`` is present when the search has ``explain``."""

    rank: int
    id: str
    score: float
    matched: bool
    lift: float
    phrases: int
    matched_fields: list[str]
    highlights: list[SpanJson]
    asset: dict[str, Any]
    picture: PictureJson | None
    ordinal: int
    updated_at: str
    lists: NotRequired[list[ContributionJson]]


class ListReportJson(TypedDict):
    """One candidate list of an answer.

    ``confidence`` is that of its best candidate, from 0 to 1; ``evidence`` says what it is based
    on. ``total`` is the number of matches, null where the list does not count them.
    """

    list: str
    window: int
    weight: float
    found: int
    total: int | None
    plan: str
    confidence: float
    evidence: str


class FacetValueJson(TypedDict):
    """A value of a field, and the number of matches with it."""

    value: str | int | float | bool
    assets: int


class FacetTotalsJson(TypedDict):
    """Matches that the listed values of a field do not show.

    ``other`` counts those with other values only, ``missing`` those without any.
    """

    other: int
    missing: int


class TotalsJson(TypedDict):
    """How many assets match, and how many hits beside them are only related."""

    matched: int
    related: int


class NoteJson(TypedDict):
    """A note for programs: its code, and the values that its text contains."""

    code: NoteCode
    params: dict[str, str | int]


class AnswerJson(TypedDict):
    """A page of hits, and how it was found.

    ``facets`` count the matches. ``candidates`` is the number of ranked hits. ``good_match`` is
    false when nothing matches though confidence is calibrated. A search with ``token`` as ``reuse``
    fuses the same candidates again; ``reused`` says that this happened. ``search_id`` is the id in
    the query log, null without a log. ``note_codes`` has the notes of ``notes`` in the same order.
    """

    hits: list[HitJson]
    candidates: int
    totals: TotalsJson
    cursor: str | None
    phrases: list[str]
    notes: list[str]
    note_codes: list[NoteJson]
    did_you_mean: list[str]
    facets: dict[str, list[FacetValueJson]]
    facet_totals: dict[str, FacetTotalsJson]
    good_match: bool
    token: str
    reused: bool
    search_id: str | None
    fusion: str
    rank_constant: float
    lists: list[ListReportJson]
    sequence: int
    took_ms: float


def answer_to_json(answer: SearchResult) -> AnswerJson:
    """The answer as a JSON object."""
    return {
        "hits": [hit_to_json(hit) for hit in answer.hits],
        "candidates": answer.candidates,
        "totals": {"matched": answer.totals.matched, "related": answer.totals.related},
        "cursor": answer.cursor,
        "phrases": list(answer.phrases),
        "notes": [note.text for note in answer.notes],
        "note_codes": [_note(note) for note in answer.notes],
        "did_you_mean": list(answer.did_you_mean),
        "facets": {
            field: [{"value": found.value, "assets": found.assets} for found in values]
            for field, values in answer.facets.items()
        },
        "facet_totals": {
            field: {"other": totals.other, "missing": totals.missing}
            for field, totals in answer.facet_totals.items()
        },
        "good_match": answer.good_match,
        "token": answer.token,
        "reused": answer.reused,
        "search_id": answer.search_id,
        "fusion": answer.fusion,
        "rank_constant": answer.rank_constant,
        "lists": [report_to_json(report) for report in answer.lists],
        "sequence": answer.sequence,
        "took_ms": round(answer.took_ms, 3),
    }


def hit_to_json(hit: Hit) -> HitJson:
    """The hit as a JSON object."""
    rendered: HitJson = {
        "rank": hit.rank,
        "id": hit.stored.asset.id,
        "score": hit.score,
        "matched": hit.matched,
        "lift": hit.lift,
        "phrases": hit.phrases,
        "matched_fields": list(hit.matched_fields),
        "highlights": [_span(span) for span in hit.highlights],
        "asset": asset_to_json(hit.stored.asset),
        "picture": None if hit.stored.picture is None else picture_to_json(hit.stored.picture),
        "ordinal": hit.stored.arrival,
        "updated_at": hit.stored.updated_at,
    }
    if hit.contributions:
        rendered["lists"] = [_contribution(part) for part in hit.contributions]
    return rendered


def _note(note: Note) -> NoteJson:
    return {"code": note.code, "params": dict(note.params)}


def _span(span: Span) -> SpanJson:
    return {"field": span.field, "index": span.index, "start": span.start, "end": span.end}


def _contribution(part: Contribution) -> ContributionJson:
    return {
        "list": part.list,
        "rank": part.rank,
        "score": part.score,
        "weight": part.weight,
        "confidence": part.confidence,
        "contribution": part.contribution,
        "absent": part.absent,
    }


def report_to_json(report: ListReport) -> ListReportJson:
    """The report of one list as a JSON object."""
    return {
        "list": report.name,
        "window": report.window,
        "weight": report.weight,
        "found": report.found,
        "total": report.total,
        "plan": report.plan,
        "confidence": report.confidence,
        "evidence": report.evidence,
    }
