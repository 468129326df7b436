"""``hybrid-search ingest``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_search.api.schemas.ingest import ingest_report_to_json
from hybrid_search.cli.ingest_paths import ingest_paths, print_report
from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.terminal import print_json
from hybrid_search.settings.settings import load_settings


def command(
    paths: Annotated[list[Path], typer.Argument(help="Manifests (JSONL, CSV, Parquet), folders.")],
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Index ads from manifests and folders; unchanged ads are skipped."""
    total = ingest_paths(load_settings(data_dir), paths, quiet=json)
    if json:
        print_json(ingest_report_to_json(total))
    else:
        print_report(total)
