"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder of the index.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Queries = Annotated[Path | None, typer.Option("--queries", help="Judged queries, JSONL.")]
Qrels = Annotated[
    Path | None, typer.Option("--qrels", help="Judgments of the queries, TREC qrels.")
]
ExperimentFile = Annotated[Path, typer.Argument(help="An experiment, TOML.")]
Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="0 for any free port.")]
