"""``hybrid-search keys remove``."""

from __future__ import annotations

from hybrid_search.cli.key_records import KeyName, record
from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.core.errors import InvalidInput
from hybrid_search.engine.access.api_keys import KEYS, KeyFile
from hybrid_search.settings.settings import load_settings


def command(name: KeyName, data_dir: DataDir = None, json: Json = False) -> None:
    """Revoke an API key at once."""
    settings = load_settings(data_dir)
    if not KeyFile(settings.data_dir / KEYS).remove(name):
        raise InvalidInput(f"name: there is no key {name[:80]!r}; run: hybrid-search keys list")
    record(settings, "removeKey", name)
    if json:
        print_json({"removed": name})
    else:
        console.print(f"removed {name}", highlight=False)
