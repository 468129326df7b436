"""``hybrid-search show``."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from hybrid_search.api.schemas.assets import duplicate_to_json, stored_to_json
from hybrid_search.cli.asset_argument import AssetArgument
from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.read_only_index import open_to_read
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.core import StoredAsset
from hybrid_search.core.asset_schema import asset_to_json
from hybrid_search.images.near_duplicates import Duplicate
from hybrid_search.settings.settings import load_settings


def command(
    id: AssetArgument,  # noqa: A002  the users' word
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show an ad, its earlier versions and the duplicates of its picture."""
    with open_to_read(load_settings(data_dir)) as index:
        stored = index.find(id)
        versions = index.versions(id)
        duplicates = index.duplicates(stored)
    if json:
        shown = {**stored_to_json(stored), "versions": [stored_to_json(one) for one in versions]}
        print_json({**shown, "duplicates": [duplicate_to_json(one) for one in duplicates]})
    else:
        _print(stored, versions, duplicates)


def _print(stored: StoredAsset, versions: list[StoredAsset], duplicates: list[Duplicate]) -> None:
    table = Table(show_header=False, box=None)
    for field, value in asset_to_json(stored.asset).items():
        table.add_row(escape(field), escape(str(value)))
    if stored.picture is not None:
        facts = stored.picture
        table.add_row("picture", f"{facts.format}, {facts.width} x {facts.height}")
    console.print(table)
    for version in versions:
        console.print(f"version {version.arrival} of {version.updated_at}", style="dim")
    for one in duplicates:
        line = f"{one.band}: {one.stored.asset.id} ({one.distance} of 256 bits differ)"
        console.print(line, markup=False)
