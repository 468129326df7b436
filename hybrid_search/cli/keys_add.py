"""``hybrid-search keys add``."""

from __future__ import annotations

from typing import Annotated

import typer

from hybrid_search.cli.key_records import KeyName, record
from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.engine.access.api_keys import KEYS, KeyFile, Role
from hybrid_search.settings.settings import load_settings


def command(
    name: KeyName,
    role: Annotated[Role, typer.Option("--role", help="What the key may do.")] = "read",
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Create an API key and print it once.

    Only its hash is stored.
    """
    settings = load_settings(data_dir)
    secret = KeyFile(settings.data_dir / KEYS).add(name, role)
    record(settings, "addKey", name)
    if json:
        print_json({"name": name, "role": role, "key": secret})
        return
    console.print(secret, soft_wrap=True, highlight=False)
    console.print(
        f"The role of {name} is {role}. Store the key now: it is not shown again. Send it as"
        f" Authorization: Bearer {secret[:6]}…",
        style="dim",
        soft_wrap=True,
    )
