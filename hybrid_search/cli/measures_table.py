"""Measures of judged queries as a table."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from hybrid_search.cli.terminal import console


def print_measures(types: Mapping[str, Mapping[str, float]], mode: str) -> None:
    """Show the measures of each query type; the type ``all`` stands out."""
    table = Table(title=f"mode {mode}", box=None, header_style="bold")
    names = list(next(iter(types.values())))
    table.add_column("type")
    for name in names:
        table.add_column(name, justify="right")
    for kind, values in types.items():
        figures = [f"{v:.0f}" if name == "n" else f"{v:.3f}" for name, v in values.items()]
        table.add_row(kind, *figures, style="bold" if kind == "all" else "")
    console.print(table)
