"""``hybrid-search explain``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from hybrid_search.api.schemas.explanations import explanation_to_json
from hybrid_search.api.schemas.parameters import query_from_parameters
from hybrid_search.cli.asset_argument import AssetArgument
from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.read_only_index import open_to_read
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.core import Contribution, Explanation
from hybrid_search.settings.settings import load_settings


def command(
    id: AssetArgument,  # noqa: A002  the users' word
    q: Annotated[str, typer.Argument(help="The words of the search.")] = "",
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", help="NAME=VALUE, any other parameter of a search."),
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Explain the rank of an ad in a search, or its absence."""
    settings = load_settings(data_dir)
    given = [(key, value) for key, _, value in (p.partition("=") for p in parameter or [])]
    query = query_from_parameters([("q", q), *given], settings.fusion.settings())
    with open_to_read(settings) as index:
        explained = index.explain(id, query)
    if json:
        print_json(explanation_to_json(explained))
    else:
        _print(explained)


def _print(explained: Explanation) -> None:
    console.print(_place(explained), markup=False)
    table = Table("list", "rank", "score", "weight", "confidence", "contribution", box=None)
    for part in explained.hit.contributions:
        table.add_row(*_cells(part))
    console.print(table)
    for report in explained.lists:
        console.print(f"{report.name}: {report.plan}", style="dim", markup=False)
    others = Table("with setting", "rank", box=None)
    for other in explained.otherwise:
        others.add_row(f"{other.setting} = {other.value:g}", _rank(other.rank))
    if explained.otherwise:
        console.print(others)


def _place(explained: Explanation) -> str:
    if explained.rank is not None:
        return f"rank {explained.rank} of {explained.candidates}"
    if not explained.admitted:
        return "not found: excluded by the filter, or by an excluded or required word"
    return f"not found: not among the {explained.candidates} candidates of any list"


def _cells(part: Contribution) -> tuple[str, ...]:
    rank = _rank(part.rank) if part.absent is None else part.absent.replace("_", " ")
    score = "-" if part.score is None else f"{part.score:.3f}"
    weights = (f"{part.weight:g}", f"{part.confidence:.2f}", f"{part.contribution:.4f}")
    return (part.list, rank, score, *weights)


def _rank(rank: int | None) -> str:
    return "-" if rank is None else str(rank)
