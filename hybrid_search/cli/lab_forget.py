"""``hybrid-search lab forget``."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated

import typer

from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.engine.parts import open_query_log
from hybrid_search.settings.settings import load_settings


def command(
    before: Annotated[
        datetime | None,
        typer.Option("--before", formats=["%Y-%m-%d"], help="Only those before this day, UTC."),
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Delete searches and their clicks from the log."""
    with closing(open_query_log(load_settings(data_dir), write=True)) as log:
        day = None if before is None else before.replace(tzinfo=UTC).isoformat(timespec="minutes")
        removed = log.forget(day)
    if json:
        print_json({"removed": removed})
    else:
        console.print(f"{removed} searches deleted")
