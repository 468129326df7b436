"""The store of record in one SQLite file.

Versions of assets, the history of operations, facts of pictures, and embedding vectors by the
hash of what was embedded. WAL lets readers go on while one connection writes; with
``synchronous=FULL`` a write that returned survives a power cut.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from hybrid_search.errors import EngineFailure, IndexCorrupt, IndexMismatch, IndexMissing
from hybrid_search.ports import NEWEST, Draft, LiveVectors, Operation, Ordinals, Subject, Vectors
from hybrid_search.records import AssetId, Digest, Ordinal, PictureFacts, StoredAsset
from hybrid_search.wire.assets import asset_from_stored, asset_to_stored

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE assets (
  ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL,
  live INTEGER NOT NULL,
  content TEXT NOT NULL,
  record BLOB NOT NULL,
  picture TEXT REFERENCES pictures (digest),
  updated_at TEXT NOT NULL
);
CREATE UNIQUE INDEX live_assets ON assets (id) WHERE live;
CREATE INDEX versions ON assets (id, ordinal);
CREATE TABLE pictures (
  digest TEXT PRIMARY KEY, format TEXT NOT NULL, width INTEGER NOT NULL,
  height INTEGER NOT NULL, bytes INTEGER NOT NULL, placeholder TEXT NOT NULL
);
CREATE TABLE operations (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, ordinal INTEGER NOT NULL
);
CREATE TABLE embeddings (
  model TEXT NOT NULL, content TEXT NOT NULL, vector BLOB NOT NULL, checksum INTEGER NOT NULL,
  UNIQUE (model, content)
);
"""
_STORED = """
SELECT ordinal, record, updated_at, digest, format, width, height, bytes, placeholder
FROM assets LEFT JOIN pictures ON picture = digest
"""
_DIGEST: dict[Subject, str] = {"picture": "assets.picture", "copy": "assets.content"}
"""The column with the hash of what is embedded."""
_LAST_SEQUENCE = "SELECT coalesce(max(sequence), 0) FROM operations"
_PORTION = 4096
"""Vectors read at once."""
_VARIABLES = 900
"""How many values one statement takes; SQLite's oldest limit is 999."""


@contextmanager
def _translated() -> Iterator[None]:
    """Map SQLite's exceptions to this package's."""
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.ProgrammingError) as failure:
        raise EngineFailure(f"catalog: {failure}") from failure
    except sqlite3.DatabaseError as failure:
        raise IndexCorrupt(f"catalog: {failure}; restore it from a backup") from failure


class SqliteCatalog:
    """A ``Catalog`` over one file; any number of readers, one writer at a time."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open the file, creating it unless ``read_only``.

        Raises ``IndexMissing`` without a file to read and ``IndexMismatch`` for a file of
        another version.
        """
        if read_only and not path.is_file():
            raise IndexMissing(f"no catalog at {path}; run: hybrid-search ingest PATH")
        self._path = path
        self.read_only = read_only
        self._readers: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        self._writing = threading.Lock()
        with _translated():
            self._writer = None if read_only else self._open_writer()
        self._check_version()

    # ------------------------------------------------------------------------------ reads

    def contents(self, ids: Sequence[AssetId]) -> dict[AssetId, Digest]:
        """The content hash of each id that is live."""
        sql = "SELECT id, content FROM assets WHERE live AND id IN ({})"
        return dict(self._many(sql, ids))

    def live(self, ordinals: Sequence[Ordinal]) -> set[Ordinal]:
        """Those of the ordinals that are the live version of their asset."""
        sql = "SELECT ordinal FROM assets WHERE live AND ordinal IN ({})"
        return {Ordinal(row[0]) for row in self._many(sql, ordinals)}

    def fetch(self, ordinals: Sequence[Ordinal]) -> dict[Ordinal, StoredAsset]:
        """The versions with these ordinals, dead ones included; unknown ones are left out."""
        rows = self._many(_STORED + "WHERE ordinal IN ({})", ordinals)
        return {stored.ordinal: stored for stored in map(_stored, rows)}

    def find(self, asset_id: AssetId) -> StoredAsset | None:
        """The live version of the asset."""
        rows = self._many(_STORED + "WHERE live AND id IN ({})", [asset_id])
        return next(map(_stored, rows), None)

    def newest(self, limit: int, before: Ordinal | None = None) -> list[Ordinal]:
        """Live ordinals in falling order, below ``before`` if given."""
        sql = "SELECT ordinal FROM assets WHERE live AND ordinal < ? ORDER BY ordinal DESC LIMIT ?"
        with self._reading() as connection:
            top = before if before is not None else (1 << 62)
            return [Ordinal(row[0]) for row in connection.execute(sql, (top, limit))]

    def operations(self, after: int, limit: int) -> list[Operation]:
        """What happened after that sequence number, in order, at most ``limit`` steps."""
        sql = (
            "SELECT sequence, kind, ordinal FROM operations"
            " WHERE sequence > ? ORDER BY sequence LIMIT ?"
        )
        with self._reading() as connection:
            return [Operation(*row) for row in connection.execute(sql, (after, limit))]

    def last_sequence(self) -> int:
        """The sequence number of the last operation, 0 when there is none."""
        return self._single(_LAST_SEQUENCE)

    def count(self) -> int:
        """The number of live assets."""
        return self._single("SELECT count(*) FROM assets WHERE live")

    def embeddings(self, model: str, digests: Sequence[Digest]) -> dict[Digest, Vectors]:
        """The stored vectors ``(d,)`` of these contents; unknown ones are left out.

        Raises ``IndexCorrupt`` for a vector that is not what was written.
        """
        sql = "SELECT content, vector, checksum FROM embeddings WHERE model = ? AND content IN ({})"
        return {
            Digest(digest): np.frombuffer(_whole(digest, blob, checksum), dtype=np.float32)
            for digest, blob, checksum in self._many(sql, digests, model)
        }

    def digests(self, ordinals: Sequence[Ordinal], subject: Subject) -> dict[Ordinal, Digest]:
        """The hash under which that subject of each version is embedded, dead ones included."""
        column = _DIGEST[subject]
        sql = f"SELECT ordinal, {column} FROM assets WHERE ordinal IN ({{}})"  # noqa: S608  a constant
        return {o: digest for o, digest in self._many(sql, ordinals) if digest is not None}

    @contextmanager
    def live_vectors(
        self,
        model: str,
        above: Ordinal,
        subject: Subject = "picture",
        upto: Ordinal = NEWEST,
    ) -> Iterator[LiveVectors]:
        """The vectors of the living with ordinals in that range, as of one moment.

        Reading them raises ``IndexCorrupt`` for a vector that is not what was written.
        """
        living = (
            f"FROM assets JOIN embeddings ON embeddings.content = {_DIGEST[subject]}"
            " WHERE live AND model = ? AND ordinal > ? AND ordinal <= ?"
        )
        with self._reading() as connection:
            # One transaction sees one moment, whatever is written meanwhile.
            connection.execute("BEGIN")
            try:
                sequence = connection.execute(_LAST_SEQUENCE).fetchone()[0]
                within = (model, above, upto)
                counted = connection.execute(f"SELECT count(*) {living}", within)
                count = counted.fetchone()[0]
                columns = "ordinal, embeddings.content, vector, checksum"
                rows = connection.execute(f"SELECT {columns} {living} ORDER BY ordinal", within)
                yield LiveVectors(sequence, count, _portions(rows))
            finally:
                connection.execute("ROLLBACK")

    def embedded(self, model: str, digests: Sequence[Digest]) -> dict[Digest, PictureFacts]:
        """The facts of those pictures that were stored and have a vector of that model."""
        sql = """
        SELECT digest, format, width, height, bytes, placeholder
        FROM pictures JOIN embeddings ON content = digest WHERE model = ? AND digest IN ({})
        """
        return {Digest(row[0]): PictureFacts(*row) for row in self._many(sql, digests, model)}

    def unembedded(self, model: str, subject: Subject = "picture") -> dict[Digest, Ordinal]:
        """What of live assets has no vector of that model yet, and a live version that has it."""
        column = _DIGEST[subject]
        sql = (
            f"SELECT {column}, min(ordinal) FROM assets LEFT JOIN embeddings"  # noqa: S608  a constant
            f" ON embeddings.content = {column} AND model = ?"
            f" WHERE live AND vector IS NULL AND {column} IS NOT NULL GROUP BY {column}"
        )
        with self._reading() as connection:
            return dict(connection.execute(sql, (model,)).fetchall())

    # ----------------------------------------------------------------------------- writes

    def put(self, drafts: Sequence[Draft]) -> list[Ordinal]:
        """New ordinals in the order of the drafts; earlier versions are dead. All or nothing."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._transaction() as connection:
            return [_add_version(connection, draft, now) for draft in drafts]

    def delete(self, ids: Sequence[AssetId]) -> list[AssetId]:
        """The ids that were live and are now dead."""
        with self._transaction() as connection:
            return [asset_id for asset_id in ids if _retire(connection, asset_id)]

    def store_embeddings(self, model: str, vectors: Mapping[Digest, Vectors]) -> None:
        """Keep one vector ``(d,)`` per content hash and model; an existing one is kept."""
        blobs = {digest: vector.astype("<f4").tobytes() for digest, vector in vectors.items()}
        rows = [(model, digest, blob, zlib.crc32(blob)) for digest, blob in blobs.items()]
        with self._transaction() as connection:
            connection.executemany("INSERT OR IGNORE INTO embeddings VALUES (?, ?, ?, ?)", rows)

    def close(self) -> None:
        """Release the files."""
        while not self._readers.empty():
            self._readers.get().close()
        if self._writer is not None:
            self._writer.close()

    # -------------------------------------------------------------------------- machinery

    def _open_writer(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._connect("rwc")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            script = f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            connection.executescript(script)
        return connection

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"{self._path.absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(
            uri, uri=True, timeout=10.0, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA busy_timeout = 10000")
        return connection

    def _check_version(self) -> None:
        version = self._single("PRAGMA user_version")
        if version != SCHEMA_VERSION:
            self.close()
            raise IndexMismatch(
                f"catalog: {self._path} has format {version}, this program reads {SCHEMA_VERSION}"
            )

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection of its own to each concurrent reader."""
        with _translated():
            try:
                connection = self._readers.get_nowait()
            except queue.Empty:
                connection = self._connect("ro")
            try:
                yield connection
            finally:
                self._readers.put(connection)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self._writer is None:
            raise EngineFailure("catalog: opened for reading only")
        with self._writing, _translated():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def _single(self, sql: str) -> int:
        with self._reading() as connection, closing(connection.execute(sql)) as cursor:
            return int(cursor.fetchone()[0])

    def _many(
        self, sql: str, values: Sequence[object], *first: object
    ) -> Iterator[tuple[Any, ...]]:
        """Rows of a statement whose ``{}`` takes the values, a portion at a time."""
        rows: list[tuple[Any, ...]] = []
        with self._reading() as connection:
            for start in range(0, len(values), _VARIABLES):
                portion = values[start : start + _VARIABLES]
                marks = ",".join("?" * len(portion))
                rows += connection.execute(sql.format(marks), (*first, *portion))
        return iter(rows)


def _portions(rows: sqlite3.Cursor) -> Iterator[tuple[Ordinals, Vectors]]:
    while portion := rows.fetchmany(_PORTION):
        ordinals = np.array([row[0] for row in portion], np.int64)
        matrix = np.frombuffer(b"".join(_whole(*row[1:]) for row in portion), np.float32)
        yield ordinals, matrix.reshape(len(portion), -1)


def _whole(digest: str, blob: bytes, checksum: int) -> bytes:
    """The bytes of a vector; raises ``IndexCorrupt`` when they are not what was written."""
    if zlib.crc32(blob) != checksum:
        raise IndexCorrupt(f"catalog: the vector of content {digest} is damaged")
    return blob


def _add_version(connection: sqlite3.Connection, draft: Draft, now: str) -> Ordinal:
    _retire(connection, draft.asset.id)
    picture = draft.picture
    if picture is not None:
        facts = (picture.digest, picture.format, picture.width, picture.height, picture.bytes)
        row = (*facts, picture.placeholder)
        connection.execute("INSERT OR IGNORE INTO pictures VALUES (?, ?, ?, ?, ?, ?)", row)
    cursor = connection.execute(
        "INSERT INTO assets (id, live, content, record, picture, updated_at)"
        " VALUES (?, 1, ?, ?, ?, ?)",
        (
            draft.asset.id,
            draft.content,
            asset_to_stored(draft.asset),
            picture.digest if picture else None,
            now,
        ),
    )
    ordinal = Ordinal(int(cursor.lastrowid or 0))
    _log(connection, "add", ordinal)
    return ordinal


def _retire(connection: sqlite3.Connection, asset_id: AssetId) -> bool:
    sql = "UPDATE assets SET live = 0 WHERE live AND id = ? RETURNING ordinal"
    row = connection.execute(sql, (asset_id,)).fetchone()
    if row is not None:
        _log(connection, "drop", Ordinal(row[0]))
    return row is not None


def _log(connection: sqlite3.Connection, kind: str, ordinal: Ordinal) -> None:
    connection.execute("INSERT INTO operations (kind, ordinal) VALUES (?, ?)", (kind, ordinal))


def _stored(row: tuple[Any, ...]) -> StoredAsset:
    ordinal, record, updated_at, digest, *facts = row
    picture = PictureFacts(digest, *facts) if digest is not None else None
    return StoredAsset(Ordinal(ordinal), asset_from_stored(record), picture, updated_at)
