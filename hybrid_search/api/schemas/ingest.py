"""Reports of an ingest as JSON."""

from __future__ import annotations

from typing_extensions import TypedDict

from hybrid_search.ingest.pipeline import IngestReport


class SkippedJson(TypedDict):
    """A skipped row: its id or its place in the input, and the reason."""

    id: str
    reason: str


class IngestReportJson(TypedDict):
    """Counts of the rows of a batch by outcome, and the speed."""

    indexed: int
    unchanged: int
    updated: int
    skipped: list[SkippedJson]
    pictures: int
    embedded: int
    seconds: float
    pictures_per_second: float


def ingest_report_to_json(report: IngestReport) -> IngestReportJson:
    """The report as a JSON object."""
    return {
        "indexed": report.indexed,
        "unchanged": report.unchanged,
        "updated": report.updated,
        "skipped": [{"id": row.id, "reason": row.reason} for row in report.skipped],
        "pictures": report.pictures,
        "embedded": report.embedded,
        "seconds": round(report.seconds, 3),
        "pictures_per_second": round(report.pictures_per_second, 1),
    }
