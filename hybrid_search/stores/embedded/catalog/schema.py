"""The catalog's tables, a checksum for each of their rows, and the way here from older tables.

SQLite finds a page that makes no sense, not one in which a letter has changed: the checksums do.
"""

from __future__ import annotations

import sqlite3
import zlib
from typing import Any

import orjson

from hybrid_search.core import Ordinal

SCHEMA_VERSION = 3
_SCHEMA = """
CREATE TABLE assets (
  ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL,
  live INTEGER NOT NULL,
  content TEXT NOT NULL,
  record BLOB NOT NULL,
  picture TEXT REFERENCES pictures (digest),
  updated_at TEXT NOT NULL,
  checksum INTEGER NOT NULL
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
_FEEDBACK = """
CREATE TABLE searches (
  id TEXT PRIMARY KEY, at TEXT NOT NULL, text TEXT NOT NULL, plain INTEGER NOT NULL,
  configuration TEXT NOT NULL, challenger TEXT NOT NULL, shown TEXT NOT NULL, teams TEXT NOT NULL
);
CREATE TABLE clicks (
  search TEXT NOT NULL, asset TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (search, asset)
) WITHOUT ROWID;
"""
"""The log of searches: without checksums, for nothing is rebuilt from it."""
_STEPS = {0: _SCHEMA + _FEEDBACK, 1: _UPGRADE + _FEEDBACK, 2: _FEEDBACK}
"""What leads here, by the version of the file."""
DEAD = 0xFFFFFFFF
"""A version that dies has its checksum taken from this, so that its liveness is checked as well."""


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
    """The same of a version: ordinal, id, content, record, picture, time."""
    checksum = row_checksum(*values)
    return checksum if live else DEAD - checksum


def bring_to_schema(connection: sqlite3.Connection) -> None:
    """Make the tables of a new file, or bring those of an older version here; all or nothing."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    steps = _STEPS.get(version)
    if steps is None:
        return
    connection.create_function("row_checksum", -1, row_checksum, deterministic=True)
    connection.create_function("asset_checksum", -1, asset_checksum, deterministic=True)
    connection.executescript(f"BEGIN; {steps} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")


def log_operation(connection: sqlite3.Connection, kind: str, ordinal: Ordinal) -> None:
    """Add a step to the history."""
    row = (next_number(connection, "operations"), kind, ordinal)
    connection.execute("INSERT INTO operations VALUES (?, ?, ?, ?)", (*row, row_checksum(*row)))


def next_number(connection: sqlite3.Connection, table: str) -> int:
    """The number that the table's next row gets, which none ever had."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return int(row[0]) + 1 if row else 1
