"""Connections to one SQLite file: one that writes, one for each concurrent reader."""

from __future__ import annotations

import os
import queue
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from hybrid_search.core.errors import (
    EngineFailure,
    IndexCorrupt,
    IndexMismatch,
    IndexMissing,
    IndexUnusable,
    StorageFull,
    is_full,
)
from hybrid_search.stores.embedded.catalog.schema import (
    READABLE_VERSIONS,
    SCHEMA_VERSION,
    read_older_schema,
    upgrade_schema,
)

_VARIABLES = 900
"""Values of one statement; the lowest limit of SQLite is 999."""


@contextmanager
def _translated() -> Iterator[None]:
    """Map SQLite's exceptions to this package's."""
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.ProgrammingError) as failure:
        if is_full(failure):
            raise StorageFull("catalog: no space left; free some and try again") from failure
        raise EngineFailure(f"catalog: {failure}") from failure
    except sqlite3.DatabaseError as failure:
        raise IndexCorrupt(f"catalog: {failure}; run: hybrid-search verify") from failure


class Connections:
    """Statements and transactions over the file; any number of readers, one writer at a time."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open the file; unless ``read_only``, create or upgrade it.

        Raises ``IndexMissing`` without a file to read, and ``IndexMismatch`` for a format that
        this version does not read.
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

    def close(self) -> None:
        """Release the files."""
        while not self._readers.empty():
            self._readers.get().close()
        if self._writer is not None:
            self._writer.close()

    def _open_writer(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._connect("rwc")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        upgrade_schema(connection)
        return connection

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"{self._path.absolute().as_uri()}?mode={mode}{self._as_image()}"
        connection = sqlite3.connect(
            uri, uri=True, timeout=10.0, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA busy_timeout = 10000")
        return connection

    def _as_image(self) -> str:
        """The URI parameter for a read-only volume, where SQLite cannot create its ``-shm`` file.

        SQLite then ignores the WAL, so that must be empty. Raises ``IndexUnusable`` if it is not.
        """
        if not self.read_only or os.access(self._path.parent, os.W_OK):
            return ""
        log = self._path.with_name(f"{self._path.name}-wal")
        if log.is_file() and log.stat().st_size:
            raise IndexUnusable(
                f"catalog: {log} has writes that cannot be read on a read-only volume;"
                " on a writable copy, run: hybrid-search verify"
            )
        return "&immutable=1"

    def _check_version(self) -> None:
        version = self.single("PRAGMA user_version")
        if version not in READABLE_VERSIONS:
            self.close()
            raise IndexMismatch(
                f"catalog: {self._path} has format {version}, this version of hybrid_search reads"
                f" {READABLE_VERSIONS[0]} to {SCHEMA_VERSION}; to upgrade an older file, run:"
                " hybrid-search repair"
            )

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for one reader at a time, returned to the pool afterwards."""
        with _translated():
            try:
                connection = self._readers.get_nowait()
            except queue.Empty:
                connection = self._connect("ro")
                read_older_schema(connection)
            try:
                yield connection
            finally:
                self._readers.put(connection)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The writing connection in a transaction; an exception rolls it back."""
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

    def single(self, sql: str) -> int:
        """The single number that the statement returns."""
        with self.reading() as connection, closing(connection.execute(sql)) as cursor:
            return int(cursor.fetchone()[0])

    def many(self, sql: str, values: Sequence[object], *first: object) -> Iterator[tuple[Any, ...]]:
        """Rows of a statement, run for portions of the values, which replace its ``{}``.

        ``first`` are the parameters before them.
        """
        rows: list[tuple[Any, ...]] = []
        with self.reading() as connection:
            for start in range(0, len(values), _VARIABLES):
                portion = values[start : start + _VARIABLES]
                marks = ",".join("?" * len(portion))
                rows += connection.execute(sql.format(marks), (*first, *portion))
        return iter(rows)
