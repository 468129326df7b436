"""The log of writes: who changed what, when, and how it ended; one JSON object a line."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock

AUDIT = "audit.jsonl"
"""Where in a data folder it is kept."""
KEPT = 5
"""Older files beside the one that is written."""
_log = logging.getLogger("hybrid_search.audit")


class AuditLog:
    """A file that is appended to by any process, and set aside when it is large."""

    def __init__(self, path: Path, max_mb: int) -> None:
        self._path = path
        self._most = max_mb << 20

    def record(self, **facts: Any) -> None:
        """Add a line. A failure is logged: what was done is done, and must not seem to fail."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = orjson.dumps({"time": now, **facts}) + b"\n"
        try:
            with FileLock(f"{self._path}.lock", timeout=5):
                self._make_room(len(line))
                # In one piece: a line is never mixed with another, or left half.
                descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                try:
                    os.write(descriptor, line)
                finally:
                    os.close(descriptor)
        except OSError as failure:
            _log.error("audit: cannot write to %s: %s; lost: %s", self._path, failure, line)

    def newest(self, limit: int) -> list[dict[str, Any]]:
        """The last lines, newest first; what cannot be read is left out."""
        found: list[dict[str, Any]] = []
        for line in self._lines():
            if len(found) == limit:
                break
            try:
                found.append(orjson.loads(line))
            except ValueError:
                continue
        return found

    def _lines(self) -> Iterator[bytes]:
        for path in (self._path, *map(self._older, range(1, KEPT + 1))):
            if path.is_file():
                yield from reversed(path.read_bytes().splitlines())

    def _make_room(self, wanted: int) -> None:
        if not self._path.is_file() or self._path.stat().st_size + wanted <= self._most:
            return
        for number in range(KEPT - 1, 0, -1):
            if self._older(number).is_file():
                self._older(number).replace(self._older(number + 1))
        self._path.replace(self._older(1))

    def _older(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
