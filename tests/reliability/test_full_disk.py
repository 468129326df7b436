"""A full disk: a clear error, reads continue, nothing acknowledged is lost, writes resume."""

from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest

from hybrid_search.analysis.rules import RulesAnalyzer
from hybrid_search.core import Asset, AssetId, Ordinal, Query, StoredAsset, digest_of
from hybrid_search.core.errors import StorageFull
from hybrid_search.core.picture_limits import PictureLimits
from hybrid_search.engine.backup import snapshot
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.images.store import FolderPictures
from hybrid_search.ingest.manifests import read_assets
from hybrid_search.settings.settings import load_settings
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.lexical.index import TantivyIndex
from hybrid_search.stores.embedded.vector.index import FaissIndex
from hybrid_search.stores.embedded.vector.index_spec import Kind, VectorPlan
from hybrid_search.stores.embedded.verify import verify
from tests.contracts.catalogs import MODEL, draft, row
from tests.contracts.vectors import span, units
from tests.progress import until
from tests.reliability.damage import rows, settings_of
from tests.reliability.small_disks import fill, small_disk


def written(engine: Index, source: Path, first: int) -> list[str]:
    """Ingest a batch and return the acknowledged ids."""
    path = rows(source, 8, first)
    report = engine.writer().ingest(read_assets(path, 1 << 20))
    assert report.indexed == 8, report.skipped
    return [f"a{number}" for number in range(first, first + 8)]


def until_full(engine: Index, source: Path) -> list[str]:
    """Ingest until the disk is full; return the acknowledged ids."""
    acknowledged: list[str] = []
    try:
        for first in range(0, 100_000, 8):
            acknowledged += written(engine, source, first)
    except StorageFull:
        return acknowledged
    pytest.fail("the disk never filled")


@pytest.mark.parametrize("leave", range(0, 240_000, 20_000))
def test_writing_until_the_disk_is_full(tmp_path: Path, leave: int) -> None:
    with small_disk(tmp_path / "data", 24_000) as data:
        settings = settings_of(data)
        with open_engine(settings, write=True) as engine:
            acknowledged = written(engine, tmp_path / "ads", 100_000)
            fill(data / "filler", leave)
            acknowledged += until_full(engine, tmp_path / "ads")
            for name in acknowledged:
                assert engine.catalog.find(AssetId(name)) is not None
            found = engine.searcher.search(Query('"Summer shoes 100000"')).hits
            assert found[0].stored.asset.id == "a100000"
            with suppress(StorageFull):
                engine.writer().delete([AssetId("a100001")])
            (data / "filler").unlink()
            acknowledged += written(engine, tmp_path / "ads", 200_000)
            gone = {"a100001"} if engine.catalog.find(AssetId("a100001")) is None else set()
        with open_engine(settings, write=True) as engine:
            assert engine.repairs == ()
            lost = [n for n in acknowledged if engine.catalog.find(AssetId(n)) is None]
            assert set(lost) == gone
        assert [check for check in verify(settings) if check.problems] == []


def test_index_that_missed_a_write_catches_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_engine(settings_of(tmp_path / "data"), write=True, maintenance="thread") as engine:
        commit = engine.serving.store.lexical.commit

        def full(watermark: int) -> None:
            monkeypatch.setattr(engine.serving.store.lexical, "commit", commit)
            raise StorageFull("lexical: no space left")

        monkeypatch.setattr(engine.serving.store.lexical, "commit", full)
        with pytest.raises(StorageFull):
            written(engine, tmp_path / "ads", 0)
        assert (engine.catalog.count(), engine.serving.store.lexical.snapshot().count()) == (8, 0)
        until(lambda: engine.serving.store.lexical.snapshot().count() >= 8)
        assert list(engine.serving.store.lexical.snapshot().ordinals()) == list(range(1, 9))


def test_writes_below_the_reserve_are_rejected_first(tmp_path: Path) -> None:
    with small_disk(tmp_path / "data", 24_000) as data:
        (data / "hybrid_search.toml").write_text("[storage]\nreserve_mb = 12\n")
        with open_engine(load_settings(data), write=True) as engine:
            written(engine, tmp_path / "ads", 0)
            fill(data / "filler", 11 << 20)
            before = engine.catalog.last_sequence()
            with pytest.raises(StorageFull, match=r"1\d MB are free for .*12 must .*reserve_mb"):
                written(engine, tmp_path / "ads", 100)
            assert engine.catalog.last_sequence() == before
            assert engine.writer().delete([AssetId("a1")]) == ["a1"]


def test_snapshot_without_space_leaves_nothing(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "data")
    with open_engine(settings, write=True) as engine:
        written(engine, tmp_path / "ads", 0)
    with small_disk(tmp_path / "other", 64) as other:
        with pytest.raises(StorageFull, match="no space left"):
            snapshot(settings, other / "kept")
        assert list(other.iterdir()) == []


# --------------------------------------------------------------------------- store by store


def test_catalog_rolls_back(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", 1_000) as disk,
        closing(SqliteCatalog(disk / "catalog.sqlite")) as catalog,
    ):
        catalog.put([draft("first")])
        fill(disk / "filler")
        with pytest.raises(StorageFull, match="catalog: no space left"):
            catalog.put([draft(f"a{number}", "x" * 1000) for number in range(500)])
        assert (catalog.count(), catalog.last_sequence()) == (1, 1)
        with pytest.raises(StorageFull):
            catalog.store_embeddings(MODEL, {digest_of(bytes([n])): row(n) for n in range(250)})
        (disk / "filler").unlink()
        assert catalog.put([draft("second")]) == [2]


def written_words(index: TantivyIndex, ordinals: range) -> None:
    for ordinal in ordinals:
        asset = Asset(AssetId(f"a{ordinal}"), title=f"word{ordinal} " * 40)
        index.add([StoredAsset(Ordinal(ordinal), asset, None, "2026-01-01")])
    index.commit(ordinals[-1])


def test_lexical_index_accepts_later_writes(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2_000) as disk:
        with closing(TantivyIndex(disk / "index", RulesAnalyzer())) as index:
            written_words(index, range(1, 10))
            fill(disk / "filler")
            for _ in range(2):
                with pytest.raises(StorageFull, match="no space left"):
                    written_words(index, range(10, 200))
                assert index.snapshot().count() == 9
            (disk / "filler").unlink()
            written_words(index, range(10, 200))
            assert (index.snapshot().count(), index.snapshot().watermark) == (199, 199)
        with closing(TantivyIndex(disk / "index", RulesAnalyzer(), checked=True)) as index:
            assert list(index.snapshot().ordinals()) == list(range(1, 200))


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_vector_index_keeps_the_old_segment(tmp_path: Path, kind: Kind) -> None:
    rows_of = units(2_000, width=64)
    with small_disk(tmp_path / "disk", 2_000) as disk:
        plan = VectorPlan(kind=kind, fold_after=10)
        index = FaissIndex(64, disk / "vectors", plan)
        index.add(span(1, 101), rows_of[:100])
        index.merge()
        index.add(span(101, 2001), rows_of[100:])
        fill(disk / "filler", 100_000)
        with pytest.raises(StorageFull, match="no space left"):
            index.merge()
        assert index.describe().segment == 100
        assert index.search(rows_of[1500], 1).ordinals == (1501,)
        (disk / "filler").unlink()
        index.merge()
        assert index.describe().segment == 2000
        again = FaissIndex(64, disk / "vectors", plan, checked=True)
        assert np.array_equal(again.ordinals(), np.arange(1, 2001))


def test_picture_store_leaves_no_partial_file(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 200) as disk:
        pictures = FolderPictures(disk / "pictures", PictureLimits())
        pictures.put(digest_of(b"small"), b"small")
        large = b"l" * 400_000
        with pytest.raises(StorageFull, match="no space left"):
            pictures.put(digest_of(large), large)
        assert pictures.read(digest_of(b"small")) == b"small"
        assert [p.name for p in disk.rglob("*") if p.is_file()] == [digest_of(b"small")]
