"""API keys from the command line."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer
from rich.table import Table

from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.tables import console, print_json
from hybrid_search.core.errors import InvalidInput
from hybrid_search.engine.access.api_keys import KEYS, KeyFile, Role
from hybrid_search.engine.access.audit_log import AUDIT, AuditLog
from hybrid_search.settings.settings import Settings, load_settings

keys_app = typer.Typer(help="Say who may use the service.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Whose key it is: letters, digits, . _ -")]


@keys_app.command()
def add(
    name: Name,
    role: Annotated[Role, typer.Option("--role", help="What it may do.")] = "read",
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Make a key. It is shown once: only its hash is kept."""
    settings = load_settings(data_dir)
    secret = KeyFile(settings.data_dir / KEYS).add(name, role)
    _record(settings, "addKey", name)
    if json:
        print_json({"name": name, "role": role, "key": secret})
        return
    console.print(secret, soft_wrap=True, highlight=False)
    console.print(
        f"{name} may {role}; keep the key, it is not shown again. To be sent as:"
        f" Authorization: Bearer {secret[:6]}…",
        style="dim",
        soft_wrap=True,
    )


@keys_app.command("list")
def show(data_dir: DataDir = None, json: Json = False) -> None:
    """Show who has a key, for what, and since when."""
    found = KeyFile(load_settings(data_dir).data_dir / KEYS).keys().values()
    if json:
        rows = [{"name": k.name, "role": k.role, "created": k.created} for k in found]
        print_json({"keys": rows})
        return
    table = Table("name", "role", "created", box=None, header_style="bold", pad_edge=False)
    for key in found:
        table.add_row(key.name, key.role, key.created)
    console.print(table if table.row_count else "no keys; to make one: hybrid-search keys add NAME")


@keys_app.command()
def remove(name: Name, data_dir: DataDir = None, json: Json = False) -> None:
    """Refuse a key from now on."""
    settings = load_settings(data_dir)
    if not KeyFile(settings.data_dir / KEYS).remove(name):
        raise InvalidInput(f"name: there is no key {name[:80]!r}; see: hybrid-search keys list")
    _record(settings, "removeKey", name)
    if json:
        print_json({"removed": name})
    else:
        console.print(f"removed {name}", highlight=False)


def _record(settings: Settings, action: str, name: str) -> None:
    log = AuditLog(settings.data_dir / AUDIT, settings.server.audit_mb)
    log.record(action=action, key=f"command line, {getpass.getuser()}", subject=name)
