"""``hybrid-search lab clicks``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from hybrid_search.cli.judgment_files import write_judgments
from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.engine.judgments import Judgment, Judgments, now
from hybrid_search.engine.parts import open_query_log
from hybrid_search.relevance.click_model import ClickModel, fit, shown_in
from hybrid_search.settings.settings import load_settings

_JUDGE = "clicks"
_RANKS = 10
"""Ranks whose examination probability is shown."""


def command(
    folder: Annotated[Path, typer.Argument(help="Folder for queries.jsonl and qrels.txt.")],
    least: Annotated[
        int, typer.Option("--least", min=1, help="Expected views that an ad needs.")
    ] = 10,
    keep: Annotated[
        bool, typer.Option("--keep", help="Store them as judgments of the judge clicks, too.")
    ] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Derive judgments from clicks, corrected for position."""
    settings = load_settings(data_dir)
    with closing(open_query_log(settings, write=False)) as log:
        searches = shown_in(log.searches())
    model = fit(searches)
    grades = model.grades(least=least)
    made = [Judgment(*pair, grade, _JUDGE, _JUDGE, now()) for pair, grade in grades.items()]
    queries = write_judgments(folder, made, _JUDGE)
    if keep and made:
        Judgments(settings.data_dir).add(made)
    if json:
        counts = {"searches": len(searches), "queries": queries, "judgments": len(made)}
        print_json({**counts, "looked_at": model.looked_at, "folder": str(folder)})
    else:
        _print(model, len(searches))
        line = f"{len(made)} judgments of {queries} queries: {folder / 'qrels.txt'}"
        console.print(line, markup=False, soft_wrap=True)


def _print(model: ClickModel, searches: int) -> None:
    shares = model.looked_at[:_RANKS]
    table = Table("rank", *(str(rank) for rank in range(1, len(shares) + 1)), box=None)
    table.add_row("looked at", *(f"{share:.0%}" for share in shares))
    console.print(f"{searches} text searches")
    console.print(table)
