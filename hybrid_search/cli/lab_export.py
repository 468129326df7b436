"""``hybrid-search lab export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_search.cli.judgment_files import write_judgments
from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.engine.judgments import Judgments
from hybrid_search.settings.settings import load_settings


def command(
    folder: Annotated[Path, typer.Argument(help="Folder for queries.jsonl and qrels.txt.")],
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Write the judgments as files that eval and lab run read."""
    known = Judgments(load_settings(data_dir).data_dir).current()
    count = write_judgments(folder, known, "judged")
    if json:
        print_json({"queries": count, "judgments": len(known), "folder": str(folder)})
    else:
        line = f"{len(known)} judgments of {count} queries: {folder / 'qrels.txt'}"
        console.print(line, markup=False, soft_wrap=True)
