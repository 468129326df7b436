"""Files into the index, with a progress bar and a report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hybrid_search.cli.progress import progress_bar
from hybrid_search.cli.read_only_index import open_to_write
from hybrid_search.cli.terminal import console
from hybrid_search.engine.index import Index
from hybrid_search.ingest.manifests import estimate_rows
from hybrid_search.ingest.pipeline import IngestReport
from hybrid_search.settings.settings import Settings

MAX_SKIPPED = 20
"""Skipped rows that are shown."""


def ingest_paths(settings: Settings, paths: Iterable[Path], *, quiet: bool) -> IngestReport:
    """Index all these manifests and folders; the report on all their rows."""
    total = IngestReport()
    with open_to_write(settings) as index:
        for path in paths:
            total.add(_ingest(index, path, quiet=quiet))
    return total


def print_report(report: IngestReport) -> None:
    """Show the counts of an ingest, and the first skipped rows with their reasons."""
    console.print(
        f"{report.indexed} indexed, {report.updated} updated, {report.unchanged} unchanged,"
        f" {len(report.skipped)} skipped"
    )
    if report.pictures:
        console.print(
            f"{report.pictures} pictures in {report.seconds:.1f} s,"
            f" {report.pictures_per_second:.1f} a second; {report.embedded} embedded"
        )
    for skipped in report.skipped[:MAX_SKIPPED]:
        console.print(f"  skipped {skipped.id}: {skipped.reason}", markup=False)
    if len(report.skipped) > MAX_SKIPPED:
        console.print(f"  and {len(report.skipped) - MAX_SKIPPED} more; --json lists all")


def _ingest(index: Index, path: Path, *, quiet: bool) -> IngestReport:
    with progress_bar("{task.fields[speed]}", quiet=quiet) as bar:
        task = bar.add_task(path.name, total=estimate_rows(path), speed="")

        def show(report: IngestReport) -> None:
            speed = f"{report.pictures_per_second:.1f} images/s" if report.pictures else ""
            bar.update(task, completed=report.total, speed=speed)

        return index.ingest(path, show)
