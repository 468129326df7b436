"""Results of integrity checks as a table or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.markup import escape
from rich.table import Table

from hybrid_search.cli.terminal import console
from hybrid_search.stores.embedded.verify import Check


def print_checks(checks: Sequence[Check]) -> None:
    """Show the count and the problems of each check."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("check", no_wrap=True)
    table.add_column("checked", justify="right")
    table.add_column("")
    for check in checks:
        problems = escape("; ".join(check.problems))
        table.add_row(check.name, f"{check.seen:,}", f"[red]{problems}[/]" if problems else "ok")
    console.print(table)


def checks_as_json(checks: Sequence[Check]) -> list[dict[str, object]]:
    """One object per check."""
    return [{**asdict(check), "problems": list(check.problems)} for check in checks]
