"""Verification and repair of the catalog's rows."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hybrid_search.core import AssetId, Digest, Ordinal, PictureFacts
from hybrid_search.stores.embedded.catalog.connections import Connections
from hybrid_search.stores.embedded.catalog.rows import add_facts
from hybrid_search.stores.embedded.catalog.schema import asset_checksum, log_operation, row_checksum

_ASSETS = """
SELECT live, ordinal, id, content, record, picture, updated_at, text_fields, text_digest, checksum
FROM assets
"""
_LIFE = """
SELECT assets.ordinal, id FROM assets LEFT JOIN operations USING (ordinal) GROUP BY assets.ordinal
HAVING NOT coalesce(live = (max(sequence * (kind = 'add')) > max(sequence * (kind = 'drop'))), 0)
"""
"""Versions whose last operation contradicts their row."""


@dataclass(frozen=True, slots=True)
class DamagedRow:
    """A row whose checksum is wrong, or that the log contradicts."""

    table: Literal["assets", "pictures", "operations", "embeddings", "history"]
    """``history`` stands for a version whose operations contradict its row."""
    row: int
    says: str
    """A description of the row."""


class CatalogHealth:
    """Verifies and repairs the catalog's file."""

    def __init__(self, over: Connections) -> None:
        self._over = over

    def malformed(self, *, quick: bool = False) -> list[str]:
        """The problems SQLite finds with the file; ``quick`` skips its indexes."""
        with self._over.reading() as connection:
            return _malformed(connection, quick=quick)

    def damaged(self) -> list[DamagedRow]:
        """Every damaged row."""
        with self._over.reading() as connection:
            return list(_damaged_rows(connection))

    def rows(self) -> int:
        """The number of rows with a checksum."""
        tables = ("assets", "pictures", "operations", "embeddings")
        return sum(self._over.single(f"SELECT count(*) FROM {name}") for name in tables)  # noqa: S608  constant names

    def remove(self, rows: Sequence[DamagedRow]) -> None:
        """Delete these rows; versions among them are logged as dropped."""
        with self._over.transaction() as connection:
            _remove_damaged(connection, rows)

    def facts_missing(self) -> list[Digest]:
        """Pictures of live assets whose facts are missing."""
        sql = (
            "SELECT DISTINCT picture FROM assets LEFT JOIN pictures ON picture = digest"
            " WHERE live AND picture IS NOT NULL AND digest IS NULL"
        )
        with self._over.reading() as connection:
            return [Digest(row[0]) for row in connection.execute(sql)]

    def picture_digests(self) -> list[Digest]:
        """The pictures of all versions, ascending."""
        sql = "SELECT DISTINCT picture FROM assets WHERE picture IS NOT NULL ORDER BY picture"
        with self._over.reading() as connection:
            return [Digest(row[0]) for row in connection.execute(sql)]

    def assets_with(self, digest: Digest) -> list[AssetId]:
        """The live assets with that picture, by id."""
        sql = "SELECT id FROM assets WHERE live AND picture = ? ORDER BY id"
        with self._over.reading() as connection:
            return [AssetId(row[0]) for row in connection.execute(sql, (digest,))]

    def copy_to(self, path: Path) -> None:
        """Back up the committed state to a new file; writes go on meanwhile."""
        with self._over.reading() as connection, closing(sqlite3.connect(path)) as target:
            connection.backup(target)

    def store_facts(self, facts: PictureFacts) -> None:
        """Store the facts of a picture; existing ones are kept."""
        with self._over.transaction() as connection:
            add_facts(connection, facts)


def _malformed(connection: sqlite3.Connection, *, quick: bool) -> list[str]:
    """The problems SQLite finds with its pages and, unless ``quick``, with its indexes."""
    check = "quick_check" if quick else "integrity_check"
    try:
        found = [row[0] for row in connection.execute(f"PRAGMA {check} (20)")]
    except sqlite3.DatabaseError as failure:
        return [str(failure)]
    return [] if found == ["ok"] else found


def _damaged_rows(connection: sqlite3.Connection) -> Iterator[DamagedRow]:
    """Rows with a wrong checksum, then versions that the log contradicts."""
    for live, ordinal, name, *values, checksum in connection.execute(_ASSETS):
        if asset_checksum(live, ordinal, name, *values) != checksum:
            yield DamagedRow("assets", ordinal, f"version {ordinal} of the asset {name!r}")
    for rowid, *values, checksum in connection.execute("SELECT rowid, * FROM pictures"):
        if row_checksum(*values) != checksum:
            yield DamagedRow("pictures", rowid, f"the facts of picture {values[0]}")
    for *values, checksum in connection.execute("SELECT * FROM operations"):
        if row_checksum(*values) != checksum:
            yield DamagedRow("operations", values[0], f"operation {values[0]}")
    for rowid, model, content, vector, checksum in connection.execute(
        "SELECT rowid, * FROM embeddings"
    ):
        if zlib.crc32(vector) != checksum:
            yield DamagedRow("embeddings", rowid, f"the vector of content {content} by {model}")
    yield from _without_history(connection)


def _without_history(connection: sqlite3.Connection) -> Iterator[DamagedRow]:
    """Versions that the log contradicts."""
    for ordinal, name in connection.execute(_LIFE):
        yield DamagedRow("history", ordinal, f"the operations of version {ordinal} of {name!r}")


def _remove_damaged(connection: sqlite3.Connection, rows: Sequence[DamagedRow]) -> None:
    """Delete damaged rows, and log what agrees with the remaining ones."""
    for damaged in rows:
        if damaged.table != "history":
            sql = f"DELETE FROM {damaged.table} WHERE rowid = ?"  # noqa: S608  constant names  one of four names
            connection.execute(sql, (damaged.row,))
        if damaged.table == "assets":
            log_operation(connection, "drop", Ordinal(damaged.row))
    for damaged in list(_without_history(connection)):
        sql = "SELECT live FROM assets WHERE ordinal = ?"
        (live,) = connection.execute(sql, (damaged.row,)).fetchone()
        log_operation(connection, "add" if live else "drop", Ordinal(damaged.row))
