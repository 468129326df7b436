"""Verify, repair, snapshot and restore on a real data folder."""

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from hybrid_search.core import AssetId, Ordinal
from hybrid_search.core.errors import (
    IndexCorrupt,
    IndexLocked,
    IndexMissing,
    InvalidInput,
    SearchError,
)
from hybrid_search.engine.backup import snapshot
from hybrid_search.engine.factory import open_engine
from hybrid_search.ingest.manifests import read_assets
from hybrid_search.settings.settings import Settings, load_settings
from hybrid_search.stores.embedded.repair import repair
from hybrid_search.stores.embedded.snapshot import read_snapshot, restore
from hybrid_search.stores.embedded.verify import verify
from tests.reliability.damage import answers, filled, flip, rows

Answers = list[list[tuple[str, float]]]
COMMAND = [sys.executable, "-m", "hybrid_search.cli.main"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answers]:
    folder = tmp_path_factory.mktemp("kept")
    settings = filled(folder / "data", folder / "ads")
    with open_engine(settings) as engine:
        return folder / "data", answers(engine)


@pytest.fixture
def copied(whole: tuple[Path, Answers], tmp_path: Path) -> Settings:
    shutil.copytree(whole[0], tmp_path / "data")
    return load_settings(tmp_path / "data")


def problems(settings: Settings) -> dict[str, tuple[str, ...]]:
    return {check.name: check.problems for check in verify(settings) if check.problems}


def change(settings: Settings, sql: str) -> None:
    with closing(sqlite3.connect(settings.data_dir / "catalog.sqlite")) as raw, raw:
        assert raw.execute(sql).rowcount > 0


# -------------------------------------------------------------------------------- verifying


def test_intact_folder_verifies_unchanged(copied: Settings) -> None:
    before = {p: p.read_bytes() for p in copied.data_dir.rglob("*") if p.is_file()}
    checks = verify(copied)
    assert {check.name: check.problems for check in checks if check.problems} == {}
    assert {check.name: check.seen for check in checks} | {"pictures": 56} == {
        check.name: check.seen for check in checks
    }
    left = {p: p.read_bytes() for p in before if not p.name.endswith("-shm")}
    assert left == {p: data for p, data in before.items() if p in left}


@pytest.mark.parametrize(
    ("pattern", "check"),
    [
        ("generations/CURRENT", "generation"),
        ("generations/*/MANIFEST.copy", "generation"),
        ("generations/*/lexical/*.idx", "words: files"),
        ("generations/*/lexical/meta.json", "words: files"),
        ("generations/*/vectors/*/rows.npy", "picture vectors: files"),
        ("generations/*/copy/*/manifest.json", "copy vectors: files"),
        ("generations/*/vectors-background", "picture vectors: baseline"),
        ("pictures/originals/*/*", "pictures"),
    ],
)
def test_damage_is_reported_with_its_place(copied: Settings, pattern: str, check: str) -> None:
    flip(next(copied.data_dir.glob(pattern)), 60)
    assert check in problems(copied)


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("UPDATE assets SET record = replace(record, 'Summer', 'Winter') WHERE id = 'a4'", "'a4'"),
        ("UPDATE assets SET live = 1 WHERE ordinal = 2", "version 2 of the asset 'a1'"),
        ("UPDATE pictures SET width = 9 WHERE width = 44", "picture"),
        ("UPDATE operations SET ordinal = 5 WHERE sequence = 9", "operation 9"),
        ("DELETE FROM operations WHERE sequence = 9", "the operations of version 9"),
        ("UPDATE embeddings SET vector = zeroblob(2048) WHERE rowid = 3", "the vector of content"),
    ],
)
def test_changed_row_is_reported_and_repaired(copied: Settings, sql: str, says: str) -> None:
    change(copied, sql)
    assert any(says in said for said in problems(copied)["catalog rows"])
    repaired = repair(copied)
    assert repaired.whole, repaired.checks
    assert any(says in said for said in repaired.done)


def test_missing_ids_of_an_index_are_reported(copied: Settings) -> None:
    with open_engine(copied, write=True) as engine:
        engine.serving.store.lexical.remove([Ordinal(5)])
        engine.serving.store.lexical.commit(engine.serving.store.lexical.snapshot().watermark)
    assert problems(copied) == {"words: ids": ("1 versions are missing, such as [5]",)}
    assert repair(copied).whole
    assert problems(copied) == {}


def test_verifying_needs_a_catalog(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing, match="hybrid-search ingest"):
        verify(load_settings(tmp_path))


# -------------------------------------------------------------------------------- repairing


def test_repair_rebuilds_every_index(copied: Settings, whole: tuple[Path, Answers]) -> None:
    for pattern in ("lexical/*.pos", "vectors/*/rows.npy", "copy/*/ordinals.npy", "MANIFEST"):
        flip(next(copied.data_dir.glob(f"generations/*/{pattern}")), 70)
    repaired = repair(copied)
    assert repaired.whole
    assert len(repaired.done) == 4
    assert repaired.lost == []
    with open_engine(copied) as engine:
        assert answers(engine) == whole[1]


def test_missing_picture_is_reported_with_its_asset(copied: Settings) -> None:
    with open_engine(copied) as engine:
        stored = engine.catalog.find(AssetId("a7"))
        assert stored is not None
        assert stored.picture is not None
    digest = stored.picture.digest
    (copied.data_dir / "pictures" / "originals" / digest[:2] / digest).unlink()
    repaired = repair(copied)
    assert len(repaired.lost) == 1
    assert repaired.lost[0].endswith("it is the picture of a7")


def test_unreadable_catalog_can_only_be_restored(copied: Settings) -> None:
    path = copied.data_dir / "catalog.sqlite"
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 6] = bytes(4096 * 3)
    path.write_bytes(data)
    assert [check.name for check in verify(copied)] == ["catalog pages"]
    with pytest.raises(IndexCorrupt, match="restore SNAPSHOT"):
        repair(copied)
    with pytest.raises(SearchError), open_engine(copied, write=True):
        pass


def test_repair_refuses_a_running_writer(copied: Settings) -> None:
    with open_engine(copied, write=True), pytest.raises(IndexLocked, match="another process"):
        repair(copied)


# -------------------------------------------------------------------------------- snapshots


@pytest.mark.parametrize("link", [False, True])
def test_snapshot_gives_the_same_results(
    copied: Settings, whole: tuple[Path, Answers], tmp_path: Path, link: bool
) -> None:
    taken = snapshot(copied, tmp_path / "kept", link=link)
    assert taken.assets == 55
    shutil.rmtree(copied.data_dir)
    settings = load_settings(tmp_path / "back")
    assert restore(settings, tmp_path / "kept").assets == 55
    with open_engine(load_settings(tmp_path / "back"), write=True) as engine:
        assert engine.repairs == ()
        assert answers(engine) == whole[1]
    assert problems(settings) == {}


def test_snapshot_is_complete_during_writes(copied: Settings, tmp_path: Path) -> None:
    ending = threading.Event()
    written: list[int] = []
    taken = 0
    with open_engine(copied, write=True, maintenance="thread") as engine:

        def write() -> None:
            number = 1000
            while not ending.is_set():
                path = rows(tmp_path / "more", 6, number)
                engine.writer().ingest(read_assets(path, 1 << 20))
                engine.writer().delete([AssetId(f"a{number}")])
                number += 6
                written.append(engine.catalog.count())

        writing = threading.Thread(target=write)
        writing.start()
        try:
            while len(written) < 5 or taken < 4:
                least = engine.catalog.last_sequence()
                assert snapshot(copied, tmp_path / f"kept{taken}").sequence >= least
                taken += 1
        finally:
            ending.set()
            writing.join()
    for number in range(taken):
        settings = load_settings(tmp_path / f"back{number}")
        restore(settings, tmp_path / f"kept{number}")
        with open_engine(settings, write=True) as engine:
            assert engine.repairs == ()
        assert problems(settings) == {}


def test_damaged_snapshot_is_not_restored(copied: Settings, tmp_path: Path) -> None:
    snapshot(copied, tmp_path / "kept")
    flip(next((tmp_path / "kept").glob("generations/*/lexical/*.term")), 9)
    with pytest.raises(IndexCorrupt, match="term does not match its checksum"):
        restore(load_settings(tmp_path / "back"), tmp_path / "kept")
    assert not (tmp_path / "back").exists()


def test_existing_files_are_never_overwritten(copied: Settings, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(InvalidInput, match="exists already"):
        snapshot(copied, tmp_path / "there")
    snapshot(copied, tmp_path / "kept")
    with pytest.raises(InvalidInput, match="not empty"):
        restore(copied, tmp_path / "kept")
    with pytest.raises(IndexMissing, match="no snapshot"):
        read_snapshot(tmp_path / "there")


# ------------------------------------------------------------------------------ command line


def run(*words: str | Path) -> tuple[int, dict[str, object]]:
    done = subprocess.run(
        [*COMMAND, *map(str, words), "--json"], capture_output=True, text=True, check=False
    )
    return done.returncode, json.loads(done.stdout)


def test_the_four_commands(copied: Settings, tmp_path: Path) -> None:
    data = copied.data_dir
    code, told = run("snapshot", tmp_path / "kept", "--data-dir", data)
    assert (code, told["assets"]) == (0, 55)
    flip(next(data.glob("generations/*/lexical/*.fast")), 1)
    code, told = run("verify", "--data-dir", data)
    assert (code, told["whole"]) == (3, False)
    code, told = run("repair", "--data-dir", data)
    assert (code, told["whole"], told["lost"]) == (0, True, [])
    code, told = run("restore", tmp_path / "kept", "--data-dir", tmp_path / "back")
    assert (code, told["assets"]) == (0, 55)
    code, told = run("verify", "--data-dir", tmp_path / "back")
    assert (code, told["whole"]) == (0, True)
