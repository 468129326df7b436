"""The catalog's tables, the checksums of their rows, and upgrades from older formats.

SQLite notices a malformed page, but not a changed byte inside a value. The checksums do.
"""

from __future__ import annotations

import sqlite3
import zlib
from typing import Any

import orjson

from hybrid_search.core import Ordinal

SCHEMA_VERSION = 4
READABLE_VERSIONS = (3, SCHEMA_VERSION)
"""The versions that can be opened for reading. Opening for writing upgrades an older file."""
_SCHEMA = """
CREATE TABLE assets (
  ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL,
  live INTEGER NOT NULL,
  content TEXT NOT NULL,
  record BLOB NOT NULL,
  picture TEXT REFERENCES pictures (digest),
  updated_at TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  text_fields TEXT NOT NULL DEFAULT '',
  text_digest TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX live_assets ON assets (id) WHERE live;
CREATE INDEX versions ON assets (id, ordinal);
CREATE TABLE pictures (
  digest TEXT PRIMARY KEY, format TEXT NOT NULL, width INTEGER NOT NULL,
  height INTEGER NOT NULL, bytes INTEGER NOT NULL, placeholder TEXT NOT NULL,
  checksum INTEGER NOT NULL
);
CREATE TABLE operations (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, ordinal INTEGER NOT NULL,
  checksum INTEGER NOT NULL
);
CREATE TABLE embeddings (
  model TEXT NOT NULL, content TEXT NOT NULL, vector BLOB NOT NULL, checksum INTEGER NOT NULL,
  UNIQUE (model, content)
);
"""
_UPGRADE = """
ALTER TABLE assets ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pictures ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE operations ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
UPDATE assets SET checksum =
  asset_checksum(live, ordinal, id, content, record, picture, updated_at);
UPDATE pictures SET checksum = row_checksum(digest, format, width, height, bytes, placeholder);
UPDATE operations SET checksum = row_checksum(sequence, kind, ordinal);
"""
_QUERY_LOG = """
CREATE TABLE searches (
  id TEXT PRIMARY KEY, at TEXT NOT NULL, text TEXT NOT NULL, plain INTEGER NOT NULL,
  configuration TEXT NOT NULL, challenger TEXT NOT NULL, shown TEXT NOT NULL, teams TEXT NOT NULL
);
CREATE TABLE clicks (
  search TEXT NOT NULL, asset TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (search, asset)
) WITHOUT ROWID;
"""
"""The query log has no checksums, since nothing is rebuilt from it."""
_TEXT = """
ALTER TABLE assets ADD COLUMN text_fields TEXT NOT NULL DEFAULT '';
ALTER TABLE assets ADD COLUMN text_digest TEXT NOT NULL DEFAULT '';
"""
"""Rows from before version 4 have no text digest: their text vectors have the content hash."""
_STEPS = {
    0: _SCHEMA + _QUERY_LOG,
    1: _UPGRADE + _QUERY_LOG + _TEXT,
    2: _QUERY_LOG + _TEXT,
    3: _TEXT,
}
"""The statements that lead to the current version, by the version of the file."""
_VERSION_3_VIEW = """
CREATE TEMP VIEW assets AS SELECT *, '' AS text_fields, '' AS text_digest FROM main.assets
"""
"""Once another process has upgraded the file, ``*`` has both columns, and the first of each name
counts."""
DELETED = 0xFFFFFFFF
"""A deleted version has its checksum subtracted from this, so that ``live`` is checked too."""


def row_checksum(*values: Any) -> int:
    """The CRC-32 of a row's values.

    >>> row_checksum(1, "add", 7) == row_checksum(1, "drop", 7)
    False
    """
    checksum = 0
    for value in values:
        part = value if isinstance(value, bytes) else orjson.dumps(value)
        checksum = zlib.crc32(part + b"\n", checksum)
    return checksum


def asset_checksum(live: int, *values: Any) -> int:
    """The checksum of a version: ordinal, id, content, record, picture, time, text key.

    Empty values at the end do not count, so rows keep theirs when a column is added.
    """
    used = len(values)
    while used and values[used - 1] == "":
        used -= 1
    checksum = row_checksum(*values[:used])
    return checksum if live else DELETED - checksum


def upgrade_schema(connection: sqlite3.Connection) -> None:
    """Create the tables of a new file, or upgrade an older one, in one transaction."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    steps = _STEPS.get(version)
    if steps is None:
        return
    connection.create_function("row_checksum", -1, row_checksum, deterministic=True)
    connection.create_function("asset_checksum", -1, asset_checksum, deterministic=True)
    connection.executescript(f"BEGIN; {steps} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")


def read_older_schema(connection: sqlite3.Connection) -> None:
    """Let a reader's connection see the tables of an older readable file as the current ones."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version in READABLE_VERSIONS and version < SCHEMA_VERSION:
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(_VERSION_3_VIEW)


def log_operation(connection: sqlite3.Connection, kind: str, ordinal: Ordinal) -> None:
    """Append an operation to the log."""
    row = (next_number(connection, "operations"), kind, ordinal)
    connection.execute("INSERT INTO operations VALUES (?, ?, ?, ?)", (*row, row_checksum(*row)))


def next_number(connection: sqlite3.Connection, table: str) -> int:
    """The next number of an AUTOINCREMENT table; numbers are never reused."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return int(row[0]) + 1 if row else 1
