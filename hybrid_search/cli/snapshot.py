"""``hybrid-search snapshot``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.progress import checking_bar
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.engine.backup import snapshot
from hybrid_search.settings.settings import load_settings
from hybrid_search.stores.embedded.snapshot import Snapshot


def command(
    target: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")],
    link: Annotated[
        bool, typer.Option("--link", help="Link files that never change instead of copying them.")
    ] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Copy everything into a new folder; a service may keep running.

    The copy is opened and counted before it gets its name.
    """
    with checking_bar(quiet=json) as progress:
        made = snapshot(load_settings(data_dir), target, link=link, progress=progress)
    print_snapshot(made, "snapshot", json=json)


def print_snapshot(facts: Snapshot, what: str, *, json: bool) -> None:
    """Show how much a snapshot holds, and when it was made."""
    if json:
        print_json(asdict(facts))
        return
    console.print(
        f"{what}: {facts.assets:,} assets as of operation {facts.sequence:,},"
        f" {facts.files:,} files, {facts.bytes / 1e6:,.1f} MB, made {facts.created}"
    )
