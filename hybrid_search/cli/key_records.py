"""The audit log of keys that are created and revoked from the command line."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from hybrid_search.engine.access.audit_log import AUDIT, AuditLog
from hybrid_search.settings.settings import Settings

KeyName = Annotated[str, typer.Argument(help="The owner of the key: letters, digits, . _ -")]


def record(settings: Settings, action: str, name: str) -> None:
    """Write who changed the key of that name to the audit log."""
    log = AuditLog(settings.data_dir / AUDIT, settings.server.audit_mb)
    log.record(action=action, key=f"command line, {getpass.getuser()}", subject=name)
