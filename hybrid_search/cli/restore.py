"""``hybrid-search restore``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.progress import checking_bar
from hybrid_search.cli.snapshot import print_snapshot
from hybrid_search.settings.settings import load_settings
from hybrid_search.stores.embedded.snapshot import restore


def command(
    source: Annotated[Path, typer.Argument(help="A folder that snapshot made.")],
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Fill an empty data folder from a snapshot.

    Every file is compared with its checksum first.
    """
    with checking_bar(quiet=json) as progress:
        restored = restore(load_settings(data_dir), source, progress)
    print_snapshot(restored, "restored", json=json)
