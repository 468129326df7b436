"""Commands that look at one asset: why it stands where it does, its versions and its copies."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from hybrid_search.api.schemas.explanations import explanation_to_json
from hybrid_search.api.schemas.parameters import query_from_parameters
from hybrid_search.api.schemas.results import stored_to_json
from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.tables import console, print_json
from hybrid_search.core import AssetId, Contribution, Explanation, StoredAsset
from hybrid_search.core.asset_schema import asset_to_json
from hybrid_search.core.errors import UnknownAsset
from hybrid_search.engine.engine import Engine
from hybrid_search.engine.factory import open_engine
from hybrid_search.images.near_duplicates import Duplicate, duplicate_to_json
from hybrid_search.search.explain import explain
from hybrid_search.settings.settings import load_settings

_VERSIONS = 50
_Id = Annotated[str, typer.Argument(help="An asset's id.")]


def explain_asset(
    id: _Id,  # noqa: A002  the users' word
    q: Annotated[str, typer.Argument(help="The words of the search.")] = "",
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", help="NAME=VALUE, any other parameter of a search."),
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Say why an asset stands where it does for a search, or does not stand in it."""
    settings = load_settings(data_dir)
    given = [(key, value) for key, _, value in (p.partition("=") for p in parameter or [])]
    query = query_from_parameters([("q", q), *given], settings.fusion.settings())
    with open_engine(settings) as engine:
        explained = explain(engine.searcher, query, _found(engine, id))
    if json:
        print_json(explanation_to_json(explained))
    else:
        _print_explanation(explained)


def show_asset(
    id: _Id,  # noqa: A002  the users' word
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show an asset, its earlier versions, and the copies of its picture."""
    with open_engine(load_settings(data_dir)) as engine:
        stored = _found(engine, id)
        versions = engine.catalog.versions(stored.asset.id, _VERSIONS)
        copies = engine.copies_of(stored)
    if json:
        told = {**stored_to_json(stored), "versions": [stored_to_json(one) for one in versions]}
        print_json({**told, "duplicates": [duplicate_to_json(copy) for copy in copies]})
    else:
        _print_asset(stored, versions, copies)


def _found(engine: Engine, name: str) -> StoredAsset:
    stored = engine.catalog.find(AssetId(name))
    if stored is None:
        raise UnknownAsset(f"no asset has the id {name[:100]!r}")
    return stored


def _print_explanation(explained: Explanation) -> None:
    console.print(_place(explained), markup=False)
    table = Table("list", "rank", "score", "weight", "believed", "gives", box=None)
    for part in explained.hit.contributions:
        table.add_row(*_cells(part))
    console.print(table)
    for report in explained.lists:
        console.print(f"{report.name}: {report.plan}", style="dim", markup=False)
    others = Table("if it were", "rank", box=None)
    for other in explained.otherwise:
        others.add_row(f"{other.setting} = {other.value:g}", _shown(other.rank))
    if explained.otherwise:
        console.print(others)


def _place(explained: Explanation) -> str:
    if explained.rank is not None:
        return f"rank {explained.rank} of {explained.candidates}"
    if not explained.admitted:
        return "not found: the filter, or an excluded or required word, leaves it out"
    return f"not found: no list has it among its {explained.candidates} candidates"


def _cells(part: Contribution) -> tuple[str, ...]:
    rank = _shown(part.rank) if part.absent is None else part.absent.replace("_", " ")
    score = "-" if part.score is None else f"{part.score:.3f}"
    return (
        *(part.list, rank, score, f"{part.weight:g}", f"{part.confidence:.2f}"),
        f"{part.contribution:.4f}",
    )


def _shown(rank: int | None) -> str:
    return "-" if rank is None else str(rank)


def _print_asset(stored: StoredAsset, versions: list[StoredAsset], copies: list[Duplicate]) -> None:
    table = Table(show_header=False, box=None)
    for field, value in asset_to_json(stored.asset).items():
        table.add_row(escape(field), escape(str(value)))
    if stored.picture is not None:
        facts = stored.picture
        table.add_row("picture", f"{facts.format}, {facts.width} x {facts.height}")
    console.print(table)
    for version in versions:
        console.print(f"version {version.ordinal} of {version.updated_at}", style="dim")
    for copy in copies:
        told = f"{copy.band}: {copy.stored.asset.id} ({copy.distance} of 256 bits differ)"
        console.print(told, markup=False)
