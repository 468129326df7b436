"""The catalog in one SQLite file.

It holds versions of assets, the log of operations, facts of pictures, and vectors by digest. WAL
lets readers go on while one connection writes. With ``synchronous=FULL``, a write that returned
survives a power cut.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from hybrid_search.core import AssetId, Digest, Ordinal, PictureFacts, StoredAsset
from hybrid_search.core.ports import (
    NEWEST,
    Draft,
    LiveVectors,
    Operation,
    Ordinals,
    Subject,
    Vectors,
    searched_fields,
)
from hybrid_search.stores.embedded.catalog.connections import Connections
from hybrid_search.stores.embedded.catalog.integrity import CatalogHealth
from hybrid_search.stores.embedded.catalog.rows import (
    PICTURE,
    STORED,
    add_version,
    picture_facts,
    portions,
    read_operation,
    retire,
    stored_asset,
    whole,
)

_DIGEST: dict[Subject, str] = {
    "picture": "assets.picture",
    "copy": "CASE text_fields WHEN :fields THEN text_digest ELSE assets.content END",
}
"""The digest of a vector, for text vectors of which ``:fields`` are searched."""
_LAST_SEQUENCE = "SELECT coalesce(max(sequence), 0) FROM operations"


class SqliteCatalog:
    """A ``Catalog`` over one file; any number of readers, one writer at a time."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open the file; unless ``read_only``, create or upgrade it.

        Raises ``IndexMissing`` without a file to read, and ``IndexMismatch`` for a format that
        this version does not read.
        """
        self.read_only = read_only
        self._over = Connections(path, read_only=read_only)
        self.health = CatalogHealth(self._over)

    # ------------------------------------------------------------------------------ reads

    def contents(self, ids: Sequence[AssetId]) -> dict[AssetId, Digest]:
        sql = "SELECT id, content FROM assets WHERE live AND id IN ({})"
        return dict(self._over.many(sql, ids))

    def live(self, ordinals: Sequence[Ordinal]) -> set[Ordinal]:
        sql = "SELECT ordinal FROM assets WHERE live AND ordinal IN ({})"
        return {Ordinal(row[0]) for row in self._over.many(sql, ordinals)}

    def fetch(self, ordinals: Sequence[Ordinal]) -> dict[Ordinal, StoredAsset]:
        rows = self._over.many(STORED + "WHERE ordinal IN ({})", ordinals)
        return {stored.arrival: stored for stored in map(stored_asset, rows)}

    def find(self, asset_id: AssetId) -> StoredAsset | None:
        rows = self._over.many(STORED + "WHERE live AND id IN ({})", [asset_id])
        return next(map(stored_asset, rows), None)

    def versions(self, asset_id: AssetId, limit: int) -> list[StoredAsset]:
        sql = STORED + "WHERE id = ? ORDER BY ordinal DESC LIMIT ?"
        with self._over.reading() as connection:
            return [stored_asset(row) for row in connection.execute(sql, (asset_id, limit))]

    def newest(self, limit: int, before: Ordinal | None = None) -> list[Ordinal]:
        sql = "SELECT ordinal FROM assets WHERE live AND ordinal < ? ORDER BY ordinal DESC LIMIT ?"
        with self._over.reading() as connection:
            top = before if before is not None else (1 << 62)
            return [Ordinal(row[0]) for row in connection.execute(sql, (top, limit))]

    def operations(self, after: int, limit: int) -> list[Operation]:
        sql = "SELECT * FROM operations WHERE sequence > ? ORDER BY sequence LIMIT ?"
        with self._over.reading() as connection:
            return [read_operation(row) for row in connection.execute(sql, (after, limit))]

    def last_sequence(self) -> int:
        return self._over.single(_LAST_SEQUENCE)

    def count(self) -> int:
        return self._over.single("SELECT count(*) FROM assets WHERE live")

    def embeddings(self, model: str, digests: Sequence[Digest]) -> dict[Digest, Vectors]:
        sql = "SELECT content, vector, checksum FROM embeddings WHERE model = ? AND content IN ({})"
        return {
            Digest(digest): np.frombuffer(whole(digest, blob, checksum), dtype=np.float32)
            for digest, blob, checksum in self._over.many(sql, digests, model)
        }

    def digests(
        self, ordinals: Sequence[Ordinal], model: str, subject: Subject
    ) -> dict[Ordinal, Digest]:
        sql = (
            "SELECT ordinal, picture, CASE text_fields WHEN ? THEN text_digest ELSE content END"
            " FROM assets WHERE ordinal IN ({})"
        )
        rows = self._over.many(sql, ordinals, searched_fields(model))
        if subject == "copy":
            return {ordinal: text for ordinal, _, text in rows}
        return {ordinal: picture for ordinal, picture, _ in rows if picture is not None}

    @contextmanager
    def live_vectors(
        self,
        model: str,
        above: Ordinal,
        subject: Subject = "picture",
        upto: Ordinal = NEWEST,
    ) -> Iterator[LiveVectors]:
        live = (
            f"FROM assets JOIN embeddings ON embeddings.content = {_DIGEST[subject]}"
            " WHERE live AND model = :model AND ordinal > :above AND ordinal <= :upto"
        )
        with self._over.reading() as connection:
            # One transaction sees one version, whatever is written meanwhile.
            connection.execute("BEGIN")
            try:
                sequence = connection.execute(_LAST_SEQUENCE).fetchone()[0]
                within = {**_named(model), "above": above, "upto": upto}
                counted = connection.execute(f"SELECT count(*) {live}", within)
                count = counted.fetchone()[0]
                columns = "ordinal, embeddings.content, vector, embeddings.checksum"
                rows = connection.execute(f"SELECT {columns} {live} ORDER BY ordinal", within)
                yield LiveVectors(sequence, count, portions(rows))
            finally:
                connection.execute("ROLLBACK")

    def live_ordinals(self) -> Ordinals:
        with self._over.reading() as connection:
            rows = connection.execute("SELECT ordinal FROM assets WHERE live ORDER BY ordinal")
            return np.array(rows.fetchall(), np.int64).reshape(-1)

    def vector_ordinals(self, model: str, subject: Subject = "picture") -> Ordinals:
        sql = (
            "SELECT ordinal FROM assets"  # noqa: S608  a constant
            f" JOIN embeddings ON embeddings.content = {_DIGEST[subject]}"
            " WHERE live AND model = :model ORDER BY ordinal"
        )
        with self._over.reading() as connection:
            rows = connection.execute(sql, _named(model)).fetchall()
        return np.array(rows, np.int64).reshape(-1)

    def embedded(self, model: str, digests: Sequence[Digest]) -> dict[Digest, PictureFacts]:
        sql = (
            f"SELECT {PICTURE}"  # noqa: S608  a constant
            " FROM pictures JOIN embeddings ON content = digest"
            " WHERE model = ? AND digest IN ({})"
        )
        return {Digest(row[0]): picture_facts(*row) for row in self._over.many(sql, digests, model)}

    def unembedded(self, model: str, subject: Subject = "picture") -> dict[Digest, Ordinal]:
        column = _DIGEST[subject]
        sql = (
            f"SELECT {column}, min(ordinal) FROM assets LEFT JOIN embeddings"  # noqa: S608  a constant
            f" ON embeddings.content = {column} AND model = :model"
            f" WHERE live AND vector IS NULL AND {column} IS NOT NULL GROUP BY {column}"
        )
        with self._over.reading() as connection:
            return dict(connection.execute(sql, _named(model)).fetchall())

    # ----------------------------------------------------------------------------- writes

    def put(self, drafts: Sequence[Draft]) -> list[Ordinal]:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._over.transaction() as connection:
            return [add_version(connection, draft, now) for draft in drafts]

    def delete(self, ids: Sequence[AssetId]) -> list[AssetId]:
        with self._over.transaction() as connection:
            return [asset_id for asset_id in ids if retire(connection, asset_id)]

    def store_embeddings(self, model: str, vectors: Mapping[Digest, Vectors]) -> None:
        blobs = {digest: vector.astype("<f4").tobytes() for digest, vector in vectors.items()}
        rows = [(model, digest, blob, zlib.crc32(blob)) for digest, blob in blobs.items()]
        with self._over.transaction() as connection:
            connection.executemany("INSERT OR IGNORE INTO embeddings VALUES (?, ?, ?, ?)", rows)

    def close(self) -> None:
        """Release the files."""
        self._over.close()


def _named(model: str) -> dict[str, object]:
    """The parameters of a statement with ``_DIGEST``."""
    return {"model": model, "fields": searched_fields(model)}
