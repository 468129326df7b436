"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def _folder(address: str) -> Path:
    # Imported here because --help opens no index.
    from hybrid_search.engine.factory import folder_of

    return folder_of(address)


DataDir = Annotated[
    Path | None,
    typer.Option("--index", "--data-dir", parser=_folder, help="Address of the index: a folder."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Queries = Annotated[Path | None, typer.Option("--queries", help="Judged queries, JSONL.")]
Qrels = Annotated[
    Path | None, typer.Option("--qrels", help="Judgments of the queries, TREC qrels.")
]
ExperimentFile = Annotated[Path, typer.Argument(help="An experiment, TOML.")]
Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="0 for any free port.")]
