"""An asset named on the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from hybrid_search.core import AssetId, StoredAsset
from hybrid_search.core.errors import UnknownAsset
from hybrid_search.engine.index import Index

AssetArgument = Annotated[str, typer.Argument(help="The id of an ad.")]


def find_asset(index: Index, name: str) -> StoredAsset:
    """The live asset with that id; raises ``UnknownAsset``."""
    stored = index.catalog.find(AssetId(name))
    if stored is None:
        raise UnknownAsset(f"no asset has the id {name[:100]!r}")
    return stored
