"""Answers as JSON.

The shapes are typed dictionaries: what is rendered is what the OpenAPI document describes.
"""

from __future__ import annotations

from typing import Any, NotRequired

from typing_extensions import TypedDict

from hybrid_search.core import (
    Answer,
    Contribution,
    Hit,
    ListReport,
    Note,
    NoteCode,
    PictureFacts,
    Span,
    StoredAsset,
)
from hybrid_search.core.asset_schema import asset_to_json


class PictureJson(TypedDict):
    """What is known of a picture."""

    digest: str
    format: str
    width: int
    height: int
    bytes: int
    placeholder: str


class StoredAssetJson(TypedDict):
    """An asset as it is stored."""

    asset: dict[str, Any]
    picture: PictureJson | None
    ordinal: int
    updated_at: str


class VersionsJson(TypedDict):
    """What was stored under an id, newest first; the first one counts unless it was deleted."""

    live: bool
    versions: list[StoredAssetJson]


class DuplicateJson(StoredAssetJson):
    """An asset with a copy of a picture.

    ``band`` is ``identical`` for the same bytes and ``near`` for the same picture to the eye:
    ``distance`` is in how many of 256 bits their hashes of brightness differ.
    """

    band: str
    similarity: float
    distance: int


class DuplicatesJson(TypedDict):
    """The copies of a picture, identical ones first, then the nearest."""

    duplicates: list[DuplicateJson]


class SpanJson(TypedDict):
    """A matched stretch of a field: characters [start, end) of its ``index``-th text."""

    field: str
    index: int
    start: int
    end: int


class ContributionJson(TypedDict):
    """What one list gave to a hit; ``absent`` says why it gave nothing.

    The contribution is weight * confidence * lift of the hit / (rank_constant + rank).
    """

    list: str
    rank: int | None
    score: float | None
    weight: float
    confidence: float
    contribution: float
    absent: str | None


class HitJson(TypedDict):
    """One result."""

    rank: int
    id: str
    score: float
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
    """What one list did for an answer.

    Its weight counts as far as it is believed: ``confidence`` is that of its best candidate, from
    0 to 1, ``evidence`` says why.
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
    """One value of a field, and how many of the matches hold it."""

    value: str | int | float | bool
    assets: int


class NoteJson(TypedDict):
    """A note for programs: its code, and the values that its text contains."""

    code: NoteCode
    params: dict[str, str | int]


class AnswerJson(TypedDict):
    """A page of results and how it came about.

    ``good_match`` is false when no list found anything that stands out from chance. ``token`` names
    its candidates: a search with it as ``reuse`` fuses them anew, and says so by ``reused``.
    ``search_id`` names it in the log of searches, where there is one. ``note_codes`` has the same
    notes as ``notes``, in the same order.
    """

    hits: list[HitJson]
    candidates: int
    cursor: str | None
    phrases: list[str]
    notes: list[str]
    note_codes: list[NoteJson]
    did_you_mean: list[str]
    facets: dict[str, list[FacetValueJson]]
    good_match: bool
    token: str
    reused: bool
    search_id: str | None
    fusion: str
    rank_constant: float
    lists: list[ListReportJson]
    sequence: int
    took_ms: float


class CompletionJson(TypedDict):
    """A suggestion for what is being typed, and how many assets hold it."""

    text: str
    assets: int


class SuggestionsJson(TypedDict):
    """What may be meant by what was typed so far."""

    completions: list[CompletionJson]
    did_you_mean: list[str]


class SkippedJson(TypedDict):
    """A row that was passed over: its id or its place, and why."""

    id: str
    reason: str


class IngestReportJson(TypedDict):
    """What became of the rows of a batch."""

    indexed: int
    unchanged: int
    updated: int
    skipped: list[SkippedJson]
    pictures: int
    embedded: int
    seconds: float
    pictures_per_second: float


def answer_to_json(answer: Answer) -> AnswerJson:
    """The answer as a JSON object."""
    return {
        "hits": [hit_to_json(hit) for hit in answer.hits],
        "candidates": answer.candidates,
        "cursor": answer.cursor,
        "phrases": list(answer.phrases),
        "notes": [note.text for note in answer.notes],
        "note_codes": [_note(note) for note in answer.notes],
        "did_you_mean": list(answer.did_you_mean),
        "facets": {
            field: [{"value": found.value, "assets": found.assets} for found in values]
            for field, values in answer.facets.items()
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
    """One hit; ``lists`` is there when the query asked to explain."""
    rendered: HitJson = {
        "rank": hit.rank,
        "id": hit.stored.asset.id,
        "score": hit.score,
        "lift": hit.lift,
        "phrases": hit.phrases,
        "matched_fields": list(hit.matched_fields),
        "highlights": [_span(span) for span in hit.highlights],
        "asset": asset_to_json(hit.stored.asset),
        "picture": None if hit.stored.picture is None else _picture(hit.stored.picture),
        "ordinal": hit.stored.ordinal,
        "updated_at": hit.stored.updated_at,
    }
    if hit.contributions:
        rendered["lists"] = [_contribution(part) for part in hit.contributions]
    return rendered


def stored_to_json(stored: StoredAsset) -> StoredAssetJson:
    """A stored asset as a JSON object."""
    return {
        "asset": asset_to_json(stored.asset),
        "picture": None if stored.picture is None else _picture(stored.picture),
        "ordinal": stored.ordinal,
        "updated_at": stored.updated_at,
    }


def _note(note: Note) -> NoteJson:
    return {"code": note.code, "params": dict(note.params)}


def _picture(facts: PictureFacts) -> PictureJson:
    return {
        "digest": facts.digest,
        "format": facts.format,
        "width": facts.width,
        "height": facts.height,
        "bytes": facts.bytes,
        "placeholder": facts.placeholder,
    }


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
    """What one list did, as a JSON object."""
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
