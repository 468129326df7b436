"""Options that many commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder that holds the index.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
