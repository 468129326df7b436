"""Commands that keep what is stored safe: verify, repair, snapshot, restore."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.tables import console, print_json, progress_bar
from hybrid_search.settings.settings import load_settings
from hybrid_search.stores.embedded.repair import repair
from hybrid_search.stores.embedded.snapshot import Snapshot, restore, snapshot
from hybrid_search.stores.embedded.verify import Check, Progress, verify


def verify_folder(data_dir: DataDir = None, json: Json = False) -> None:
    """Check everything that is stored, beside a running service too; change nothing.

    Ends with 3 when anything is wrong.
    """
    with _bar(quiet=json) as progress:
        checks = verify(load_settings(data_dir), progress)
    whole = not any(check.problems for check in checks)
    if json:
        print_json({"whole": whole, "checks": _checks(checks)})
    else:
        _print_checks(checks)
        if not whole:
            console.print("to put right what can be: hybrid-search repair", style="dim")
    _end(whole=whole)


def repair_folder(data_dir: DataDir = None, json: Json = False) -> None:
    """Put right what can be put right, from the catalog; then verify.

    Stop the service first. Ends with 3 when anything stays wrong or had to be given up.
    """
    with _bar(quiet=json) as progress:
        repaired = repair(load_settings(data_dir), progress)
    if json:
        told = {"done": repaired.done, "lost": repaired.lost, "whole": repaired.whole}
        print_json({**told, "checks": _checks(repaired.checks)})
    else:
        for said in repaired.done:
            console.print(f"repaired: {said}", markup=False)
        for said in repaired.lost:
            console.print(f"lost: {said}", style="red", markup=False)
        _print_checks(repaired.checks)
    _end(whole=repaired.whole and not repaired.lost)


def take_snapshot(
    target: Annotated[Path, typer.Argument(help="A folder that is not there yet.")],
    link: Annotated[
        bool, typer.Option("--link", help="Link files that never change instead of copying them.")
    ] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Copy everything into a new folder, beside a running service; the copy is tried."""
    with _bar(quiet=json) as progress:
        taken = snapshot(load_settings(data_dir), target, link=link, progress=progress)
    _print_snapshot(taken, "snapshot", json=json)


def restore_snapshot(
    source: Annotated[Path, typer.Argument(help="A folder that snapshot made.")],
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Fill an empty data folder from a snapshot; every file is checked first."""
    with _bar(quiet=json) as progress:
        restored = restore(load_settings(data_dir), source, progress)
    _print_snapshot(restored, "restored", json=json)


def _print_snapshot(facts: Snapshot, what: str, *, json: bool) -> None:
    if json:
        print_json(asdict(facts))
        return
    console.print(
        f"{what}: {facts.assets:,} assets as of operation {facts.sequence:,},"
        f" {facts.files:,} files, {facts.bytes / 1e6:,.1f} MB, made {facts.created}"
    )


def _print_checks(checks: Sequence[Check]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("check", no_wrap=True)
    table.add_column("seen", justify="right")
    table.add_column("")
    for check in checks:
        said = "; ".join(check.problems)
        table.add_row(check.name, f"{check.seen:,}", f"[red]{escape(said)}[/]" if said else "whole")
    console.print(table)


def _checks(checks: Sequence[Check]) -> list[dict[str, object]]:
    return [{**asdict(check), "problems": list(check.problems)} for check in checks]


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Progress]:
    with progress_bar(quiet=quiet) as bar:
        task = bar.add_task("checking", total=None)

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield show


def _end(*, whole: bool) -> None:
    if not whole:
        sys.exit(3)
