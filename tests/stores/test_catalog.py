"""The SQLite catalog: files, reopening, readers beside a writer, damage."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hybrid_search.core import Asset, AssetId, Digest, Ordinal
from hybrid_search.core.errors import EngineFailure, IndexCorrupt, IndexMismatch, IndexMissing
from hybrid_search.core.ports import Draft, TextKey
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.catalog.query_log import SqliteQueryLog
from tests.contracts.catalogs import MODEL, draft, ids, row
from tests.progress import HANG_SECONDS

WITHOUT_TEXT = "".join(
    f"ALTER TABLE assets DROP COLUMN {name};" for name in ("text_fields", "text_digest")
)
"""Leads back to the format without text digests."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "below" / "catalog.db"


@pytest.fixture
def catalog(path: Path) -> Iterator[SqliteCatalog]:
    with closing(SqliteCatalog(path)) as opened:
        yield opened


def test_data_survives_reopening(path: Path) -> None:
    with closing(SqliteCatalog(path)) as catalog:
        catalog.put([draft("a", "하나", "p1"), draft("b")])
        catalog.delete(ids("b"))
        catalog.store_embeddings(MODEL, {Digest("p1"): row(1)})
    with closing(SqliteCatalog(path)) as again, closing(SqliteCatalog(path, read_only=True)) as ro:
        for catalog in (again, ro):
            assert catalog.count() == 1
            assert catalog.last_sequence() == 3
            found = catalog.find(AssetId("a"))
            assert found is not None
            assert found.asset == draft("a", "하나").asset
            assert (
                catalog.embeddings(MODEL, [Digest("p1")])[Digest("p1")].tolist() == row(1).tolist()
            )
        assert again.put([draft("b")]) == [3]
        assert ro.newest(1) == [3]


def test_ordinals_are_not_reused(path: Path) -> None:
    with closing(SqliteCatalog(path)) as catalog:
        catalog.put([draft("a"), draft("b")])
        catalog.delete(ids("a", "b"))
    with closing(SqliteCatalog(path)) as catalog:
        assert catalog.put([draft("a")]) == [3]


def test_damaged_vector_is_detected(catalog: SqliteCatalog, path: Path) -> None:
    catalog.store_embeddings(MODEL, {Digest("p1"): row(1), Digest("p2"): row(2)})
    with closing(sqlite3.connect(path)) as raw, raw:
        damaged = row(1)
        damaged[2] = 0.5
        sql = "UPDATE embeddings SET vector = ? WHERE content = 'p1'"
        raw.execute(sql, (damaged.tobytes(),))
    assert catalog.embeddings(MODEL, [Digest("p2")])[Digest("p2")].tolist() == row(2).tolist()
    with pytest.raises(IndexCorrupt, match="p1"):
        catalog.embeddings(MODEL, [Digest("p1"), Digest("p2")])
    catalog.put([draft("a", picture="p1")])
    with (
        pytest.raises(IndexCorrupt, match="p1"),
        catalog.live_vectors(MODEL, Ordinal(0)) as live,
    ):
        list(live.portions)


def test_reading_needs_a_file(path: Path) -> None:
    with pytest.raises(IndexMissing, match="hybrid-search ingest"):
        SqliteCatalog(path, read_only=True)
    assert not path.exists()


def test_a_reader_refuses_to_write(catalog: SqliteCatalog, path: Path) -> None:
    catalog.put([draft("a")])
    with closing(SqliteCatalog(path, read_only=True)) as reader:
        with pytest.raises(EngineFailure, match="reading only"):
            reader.put([draft("b")])
        with pytest.raises(EngineFailure, match="reading only"):
            reader.delete(ids("a"))
    assert catalog.count() == 1


def test_a_file_of_another_format_is_refused(path: Path) -> None:
    SqliteCatalog(path).close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version = 7")
    for read_only in (False, True):
        with pytest.raises(IndexMismatch, match="format 7"):
            SqliteCatalog(path, read_only=read_only)


def test_older_file_gets_a_query_log(path: Path) -> None:
    with closing(SqliteCatalog(path)) as catalog:
        catalog.put([draft("a")])
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(WITHOUT_TEXT)
        raw.executescript("DROP TABLE searches; DROP TABLE clicks; PRAGMA user_version = 2;")
    with pytest.raises(IndexMismatch, match=r"format 2.*repair"):
        SqliteCatalog(path, read_only=True)
    SqliteCatalog(path).close()
    with closing(SqliteQueryLog(path)) as log, closing(SqliteCatalog(path)) as catalog:
        assert (log.count(), catalog.count()) == (0, 1)


def test_a_reader_of_the_format_before_sees_an_upgrade(path: Path) -> None:
    text = TextKey("copy", Digest("t"))
    with closing(SqliteCatalog(path)) as catalog:
        catalog.put([draft("a"), draft("b")])
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(WITHOUT_TEXT + "PRAGMA user_version = 3;")
    key, asked = "copy:m@0/4", [Ordinal(1), Ordinal(3)]
    with closing(SqliteCatalog(path, read_only=True)) as reader:
        assert reader.health.damaged() == []
        assert reader.digests(asked, key, "copy") == {1: "a//None"}
        with closing(SqliteCatalog(path)) as catalog:
            catalog.put([draft("b", "new", text=text)])
        assert reader.digests(asked, key, "copy") == {1: "a//None", 3: "t"}
        assert reader.fetch(asked).keys() == {1, 3}
        assert reader.health.damaged() == []


def test_a_changed_text_digest_is_damage(catalog: SqliteCatalog, path: Path) -> None:
    catalog.put([draft("a", text=TextKey("copy", Digest("t")))])
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE assets SET text_digest = 'u'")
    assert [row.table for row in catalog.health.damaged()] == ["assets"]


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"This is a letter to my aunt. " * 200)
    with pytest.raises(IndexCorrupt, match="not a database"):
        SqliteCatalog(path, read_only=True)


def test_readers_see_complete_writes(catalog: SqliteCatalog, path: Path) -> None:
    """Each put replaces three assets, so a reader must always see three."""
    names = ids("a", "b", "c")
    catalog.put([draft(name, "0") for name in names])
    done = threading.Event()
    failures: list[str] = []
    reads = [0, 0, 0]

    def read(place: int, source: SqliteCatalog) -> None:
        seen = 0
        while not done.is_set():
            contents = set(source.contents(names).values())
            versions = {content.split("/")[1] for content in contents}
            if len(contents) != 3 or len(versions) != 1:
                failures.append(f"saw {contents}")
            sequence = source.last_sequence()
            if sequence < seen or source.count() != 3:
                failures.append(f"sequence {sequence} after {seen}")
            seen = sequence
            reads[place] += 1

    with closing(SqliteCatalog(path, read_only=True)) as other:
        sources = (catalog, catalog, other)
        threads = [threading.Thread(target=read, args=pair) for pair in enumerate(sources)]
        for thread in threads:
            thread.start()
        try:
            for version in range(1, 41):
                catalog.put([draft(name, str(version)) for name in names])
        finally:
            done.set()
            for thread in threads:
                thread.join(HANG_SECONDS)
    assert failures == []
    assert min(reads) > 0
    assert catalog.last_sequence() == 3 + 40 * 6


def test_a_failed_statement_leaves_nothing(catalog: SqliteCatalog) -> None:
    broken = Draft(Asset(AssetId("b")), None, None)  # type: ignore[arg-type]  # the point
    with pytest.raises(IndexCorrupt):
        catalog.put([draft("a"), broken])
    assert (catalog.count(), catalog.last_sequence()) == (0, 0)
    assert catalog.put([draft("a")]) == [1]


def test_closed_catalog_raises_an_error(path: Path) -> None:
    catalog = SqliteCatalog(path)
    catalog.close()
    with pytest.raises(EngineFailure, match="closed"):
        catalog.put([draft("a")])
