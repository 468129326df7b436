"""``hybrid-search status``."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.read_only_index import open_to_read
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.engine.status import StatusJson, engine_status
from hybrid_search.settings.settings import load_settings


def command(data_dir: DataDir = None, json: Json = False) -> None:
    """Show the state of the index."""
    with open_to_read(load_settings(data_dir)) as index:
        facts = engine_status(index)
    if json:
        print_json(facts)
    else:
        _print(facts)


def _print(facts: StatusJson) -> None:
    """Show one fact a line."""
    table = Table(box=None, show_header=False)
    for section, value in facts.items():
        pairs = value.items() if isinstance(value, dict) else [("", value)]
        for name, fact in pairs:
            table.add_row(f"{section} {name}".strip(), escape(str(fact)))
    console.print(table)
