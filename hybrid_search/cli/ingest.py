"""Assets out of files into the index, with a bar."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hybrid_search.cli.tables import progress_bar
from hybrid_search.engine.engine import Engine
from hybrid_search.engine.factory import open_engine
from hybrid_search.ingest.manifests import estimate_rows, read_assets
from hybrid_search.ingest.pipeline import IngestReport
from hybrid_search.settings.settings import Settings


def ingest_paths(settings: Settings, paths: Iterable[Path], *, quiet: bool) -> IngestReport:
    """What became of the rows of all these manifests and folders."""
    total = IngestReport()
    with open_engine(settings, write=True) as engine:
        for path in paths:
            total.add(_ingest(engine, path, quiet=quiet))
    return total


def _ingest(engine: Engine, path: Path, *, quiet: bool) -> IngestReport:
    rows = read_assets(path, engine.settings.pictures.max_bytes)
    with progress_bar("{task.fields[speed]}", quiet=quiet) as bar:
        task = bar.add_task(path.name, total=estimate_rows(path), speed="")

        def show(report: IngestReport) -> None:
            speed = f"{report.pictures_per_second:.1f} images/s" if report.pictures else ""
            bar.update(task, completed=report.total, speed=speed)

        return engine.writer().ingest(rows, show)
