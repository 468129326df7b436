"""``hybrid-search serve``."""

from __future__ import annotations

from typing import Annotated

import typer

from hybrid_search.cli.options import DataDir, Json, Port
from hybrid_search.cli.service import serve_folder
from hybrid_search.settings.settings import load_settings


def command(
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.")] = None,
    port: Port = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Only search; another process writes.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=64, help="Processes; one of them writes.")
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Serve the API and the search page until stopped."""
    given = {"host": host, "port": port, "workers": workers}
    serve_folder(load_settings(data_dir), given, read_only=read_only, json=json)
