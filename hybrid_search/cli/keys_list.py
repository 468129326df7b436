"""``hybrid-search keys list``."""

from __future__ import annotations

from rich.table import Table

from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.engine.access.api_keys import KEYS, KeyFile
from hybrid_search.settings.settings import load_settings


def command(data_dir: DataDir = None, json: Json = False) -> None:
    """List the API keys and their roles."""
    found = KeyFile(load_settings(data_dir).data_dir / KEYS).keys().values()
    if json:
        rows = [{"name": k.name, "role": k.role, "created": k.created} for k in found]
        print_json({"keys": rows})
        return
    table = Table("name", "role", "created", box=None, header_style="bold", pad_edge=False)
    for key in found:
        table.add_row(key.name, key.role, key.created)
    console.print(
        table if table.row_count else "no keys; to create one: hybrid-search keys add NAME"
    )
