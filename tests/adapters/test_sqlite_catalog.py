"""The store of record keeps what it acknowledged, and nothing by halves."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hybrid_search.adapters.sqlite_catalog import SqliteCatalog
from hybrid_search.errors import EngineFailure, IndexCorrupt, IndexMissing
from hybrid_search.ports import Draft
from hybrid_search.records import Asset, AssetId, Digest, Ordinal, PictureFacts

FACTS = PictureFacts(Digest("p" * 64), "PNG", 30, 20, 99, "#ffffff")


def draft(asset_id: str, title: str = "", picture: PictureFacts | None = None) -> Draft:
    return Draft(Asset(AssetId(asset_id), title=title), picture, Digest(f"{asset_id}/{title}"))


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    opened = SqliteCatalog(tmp_path / "catalog.sqlite")
    yield opened
    opened.close()


def test_a_version_is_stored_whole(catalog: SqliteCatalog) -> None:
    asset = Asset(
        AssetId("a"), title="여름", tags=("x", "y"), texts={"en": "summer"}, attributes={"n": 1.5}
    )
    (ordinal,) = catalog.put([Draft(asset, FACTS, Digest("c"))])
    stored = catalog.find(AssetId("a"))
    assert stored is not None
    assert (stored.asset, stored.picture, stored.ordinal) == (asset, FACTS, ordinal)


def test_an_update_is_a_new_ordinal_and_the_old_one_dies(catalog: SqliteCatalog) -> None:
    first, other = catalog.put([draft("a", "one"), draft("b")])
    (second,) = catalog.put([draft("a", "two")])
    assert second > other > first
    assert catalog.live([first, other, second]) == {other, second}
    assert catalog.fetch([first])[first].asset.title == "one"
    assert catalog.contents([AssetId("a")]) == {"a": "a/two"}
    steps = [(step.kind, step.ordinal) for step in catalog.operations(0, 10)]
    assert steps == [("add", first), ("add", other), ("drop", first), ("add", second)]


def test_deletion_names_what_was_live(catalog: SqliteCatalog) -> None:
    catalog.put([draft("a"), draft("b")])
    assert catalog.delete([AssetId("b"), AssetId("c")]) == ["b"]
    assert (catalog.count(), catalog.find(AssetId("b"))) == (1, None)
    assert catalog.newest(10) == [1]


def test_ordinals_are_never_reused(catalog: SqliteCatalog) -> None:
    (first,) = catalog.put([draft("a")])
    catalog.delete([AssetId("a")])
    assert catalog.put([draft("a")])[0] > first


def test_a_failed_batch_leaves_nothing(catalog: SqliteCatalog) -> None:
    broken = Draft(Asset(AssetId("b")), None, None)  # type: ignore[arg-type]  # the point
    with pytest.raises(IndexCorrupt):
        catalog.put([draft("a"), broken])
    assert (catalog.count(), catalog.last_sequence()) == (0, 0)
    assert catalog.put([draft("a")]) == [1]


def test_vectors_are_kept_by_content_and_model(catalog: SqliteCatalog) -> None:
    vector = np.arange(4, dtype=np.float32)
    (ordinal,) = catalog.put([draft("a", picture=FACTS)])
    assert catalog.unembedded("m") == [FACTS.digest]
    catalog.store_embeddings("m", {FACTS.digest: vector})
    assert catalog.unembedded("m") == []
    assert catalog.embeddings("m", [FACTS.digest])[FACTS.digest].tolist() == vector.tolist()
    ordinals, rows = catalog.live_vectors("m", Ordinal(0))
    assert (ordinals.tolist(), rows.tolist()) == ([ordinal], [vector.tolist()])
    assert len(catalog.live_vectors("other", Ordinal(0))[0]) == 0


def test_a_damaged_vector_is_reported(catalog: SqliteCatalog, tmp_path: Path) -> None:
    catalog.store_embeddings("m", {Digest("x"): np.ones(4, np.float32)})
    with sqlite3.connect(tmp_path / "catalog.sqlite") as connection:
        connection.execute("UPDATE embeddings SET vector = zeroblob(16)")
    connection.close()
    with pytest.raises(IndexCorrupt, match="damaged"):
        catalog.embeddings("m", [Digest("x")])


def test_readers_see_writes_of_another_connection(catalog: SqliteCatalog, tmp_path: Path) -> None:
    reader = SqliteCatalog(tmp_path / "catalog.sqlite", read_only=True)
    catalog.put([draft(f"a{number}") for number in range(2000)])
    assert len(reader.contents([AssetId(f"a{number}") for number in range(2000)])) == 2000
    with pytest.raises(EngineFailure, match="reading only"):
        reader.put([draft("b")])
    reader.close()


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing, match="hybrid-search ingest"):
        SqliteCatalog(tmp_path / "none.sqlite", read_only=True)
