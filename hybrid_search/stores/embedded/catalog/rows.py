"""Write and read rows of the catalog's tables; each has a checksum."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import astuple
from typing import Any

import numpy as np

from hybrid_search.core import AssetId, Ordinal, PictureFacts, StoredAsset
from hybrid_search.core.asset_codec import decode_asset, encode_asset
from hybrid_search.core.errors import IndexCorrupt
from hybrid_search.core.ports import Draft, Operation, Ordinals, Vectors
from hybrid_search.stores.embedded.catalog.schema import (
    DELETED,
    asset_checksum,
    log_operation,
    next_number,
    row_checksum,
)

ASSET = (
    "live, ordinal, id, content, record, picture, updated_at, text_fields, text_digest,"
    " assets.checksum"
)
PICTURE = "digest, format, width, height, bytes, placeholder, pictures.checksum"
STORED = (
    f"SELECT {ASSET}, {PICTURE}"  # noqa: S608  constants
    " FROM assets LEFT JOIN pictures ON picture = digest "
)
_PORTION = 4096
"""The number of vectors read at once."""


def portions(rows: sqlite3.Cursor) -> Iterator[tuple[Ordinals, Vectors]]:
    """Rows of ordinal, digest, vector and checksum as arrays ``(n,)`` and ``(n, d)`` float32."""
    while portion := rows.fetchmany(_PORTION):
        ordinals = np.array([row[0] for row in portion], np.int64)
        matrix = np.frombuffer(b"".join(whole(*row[1:]) for row in portion), np.float32)
        yield ordinals, matrix.reshape(len(portion), -1)


def whole(digest: str, blob: bytes, checksum: int) -> bytes:
    """The bytes of a vector; raises ``IndexCorrupt`` if their checksum is wrong."""
    if zlib.crc32(blob) != checksum:
        raise IndexCorrupt(f"catalog: the vector of content {digest} is damaged")
    return blob


def add_version(connection: sqlite3.Connection, draft: Draft, now: str) -> Ordinal:
    """Store the draft; returns its ordinal. An earlier version is deleted."""
    retire(connection, draft.asset.id)
    picture = draft.picture
    if picture is not None:
        add_facts(connection, picture)
    digest = picture.digest if picture else None
    text = ("", "") if draft.text is None else (draft.text.fields, draft.text.digest)
    values = (draft.asset.id, draft.content, encode_asset(draft.asset), digest, now, *text)
    ordinal = next_number(connection, "assets")
    connection.execute(
        "INSERT INTO assets (ordinal, id, live, content, record, picture, updated_at,"
        " text_fields, text_digest, checksum) VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?)",
        (ordinal, *values, asset_checksum(1, ordinal, *values)),
    )
    log_operation(connection, "add", Ordinal(ordinal))
    return Ordinal(ordinal)


def add_facts(connection: sqlite3.Connection, picture: PictureFacts) -> None:
    """Store the facts of a picture, unless they are there."""
    row = astuple(picture)
    sql = "INSERT OR IGNORE INTO pictures VALUES (?, ?, ?, ?, ?, ?, ?)"
    connection.execute(sql, (*row, row_checksum(*row)))


def retire(connection: sqlite3.Connection, asset_id: AssetId) -> bool:
    """Delete the live version of the asset; returns whether there was one."""
    sql = (
        f"UPDATE assets SET live = 0, checksum = {DELETED} - checksum"  # noqa: S608  a constant
        " WHERE live AND id = ? RETURNING ordinal"
    )
    row = connection.execute(sql, (asset_id,)).fetchone()
    if row is not None:
        log_operation(connection, "drop", Ordinal(row[0]))
    return row is not None


def stored_asset(row: tuple[Any, ...]) -> StoredAsset:
    """The version in a row of ``STORED``; raises ``IndexCorrupt`` for a damaged one."""
    (live, *values, checksum), picture = row[:10], row[10:]
    ordinal, name, _, record, digest, updated_at, *_ = values
    if asset_checksum(live, *values) != checksum:
        raise IndexCorrupt(
            f"catalog: version {ordinal} of the asset {name!r} is damaged;"
            " run: hybrid-search verify"
        )
    facts = picture_facts(*picture) if digest is not None else None
    return StoredAsset(Ordinal(ordinal), decode_asset(record), facts, updated_at)


def picture_facts(*row: Any) -> PictureFacts:
    """The facts in a row of ``PICTURE``; raises ``IndexCorrupt`` for damaged ones."""
    if row_checksum(*row[:-1]) != row[-1]:
        raise IndexCorrupt(
            f"catalog: the facts of picture {row[0]} are damaged; run: hybrid-search verify"
        )
    return PictureFacts(*row[:-1])


def read_operation(row: tuple[Any, ...]) -> Operation:
    """The operation in a row; raises ``IndexCorrupt`` for a damaged one."""
    if row_checksum(*row[:-1]) != row[-1]:
        raise IndexCorrupt(f"catalog: operation {row[0]} is damaged; run: hybrid-search verify")
    return Operation(*row[:-1])
