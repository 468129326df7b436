"""``hybrid-search suggest``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from hybrid_search.api.schemas.suggestions import suggestions_to_json
from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.read_only_index import open_to_read
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.search.searcher import Suggested
from hybrid_search.settings.settings import load_settings


def command(
    typed: Annotated[
        str, typer.Argument(help="What was typed; initials (ㄱㅇㅈ) are completed too.")
    ],
    size: Annotated[int, typer.Option("--size", min=1, max=50, help="Completions to show.")] = 10,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Complete a partly typed query, and correct it."""
    with open_to_read(load_settings(data_dir)) as index:
        found = index.suggest(typed, size)
    if json:
        print_json(suggestions_to_json(found))
    else:
        _print(found)


def _print(found: Suggested) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for completion in found.completions:
        table.add_row(escape(completion.text), str(completion.assets))
    for corrected in found.did_you_mean:
        table.add_row(escape(corrected), "did you mean?")
    console.print(table if table.row_count else "no suggestions")
