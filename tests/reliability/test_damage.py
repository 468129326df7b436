"""A changed byte in any file is found and repaired, and results stay the same."""

import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hybrid_search.core.errors import IndexCorrupt, SearchError
from hybrid_search.engine.factory import open_engine
from hybrid_search.settings.settings import Settings, load_settings
from hybrid_search.stores.embedded.data_folder import CATALOG
from tests.reliability.damage import answers, filled, flip
from tests.reliability.flipping import fate_of, index_files, no_embedding
from tests.rounds import rounds

Answers = list[list[tuple[str, float]]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answers]:
    """A closed index, and its search results."""
    folder = tmp_path_factory.mktemp("damage")
    settings = filled(folder / "data", folder / "ads")
    with open_engine(settings, write=True) as engine:
        assert engine.repairs == ()
        before = answers(engine)
    assert all(before)
    return folder / "data", before


@pytest.fixture
def copied(whole: tuple[Path, Answers], tmp_path: Path) -> Settings:
    shutil.copytree(whole[0], tmp_path / "data")
    return load_settings(tmp_path / "data")


@pytest.fixture
def nothing_embedded() -> Iterator[None]:
    """Assert that no picture is embedded, and no text but queries."""
    with no_embedding() as attempts:
        yield
    assert attempts.call_count == 0


def test_there_are_files_of_every_kind(whole: tuple[Path, Answers]) -> None:
    names = {path.name for path in index_files(whole[0])}
    assert {"CURRENT", "CURRENT.copy", "MANIFEST", "MANIFEST.copy", "closed.json"} <= names
    assert {"ordinals.npy", "rows.npy", "manifest.json", "meta.json", ".managed.json"} <= names
    assert {"vectors-background", "analyzer.txt", "fields.json"} <= names
    assert {path.suffix for path in index_files(whole[0])} >= {".idx", ".term", ".store", ".pos"}


def test_flipped_byte_in_any_file_of_a_generation(
    whole: tuple[Path, Answers], nothing_embedded: None
) -> None:
    """One file of each kind; ``make soak`` tries every one."""
    data, before = whole
    chance = random.Random(7)
    paths = index_files(data)
    of_each_kind = {re.sub("[0-9a-f]{6,}", "", str(path.relative_to(data))): path for path in paths}
    for path in rounds([*of_each_kind.values()], paths):
        assert fate_of(data, before, path, chance.randrange(path.stat().st_size)) == "repaired", (
            path
        )


def test_flipped_byte_in_the_catalog_makes_no_result_wrong(
    whole: tuple[Path, Answers], nothing_embedded: None
) -> None:
    data, before = whole
    chance, size = random.Random(11), (data / CATALOG).stat().st_size
    for place in (chance.randrange(size) for _ in range(5)):
        assert fate_of(data, before, data / CATALOG, place) != "WRONG", place


def test_reader_reports_damage_and_repairs_nothing(copied: Settings) -> None:
    (idx,) = list(copied.data_dir.glob("generations/*/lexical/*.idx"))[:1]
    flip(idx, 5)
    size = idx.stat().st_size
    with (
        pytest.raises(IndexCorrupt, match="hybrid-search repair"),
        open_engine(copied, maintenance="thread"),
    ):
        pass
    assert idx.stat().st_size == size


def test_reader_works_with_a_damaged_segment(copied: Settings, whole: tuple[Path, Answers]) -> None:
    flip(next(copied.data_dir.glob("generations/*/vectors/*/rows.npy")), 200)
    with open_engine(copied, maintenance="thread") as engine:
        assert answers(engine) == whole[1]
        assert (
            "rows.npy does not match its checksum"
            in engine.serving.store.picture_vectors.describe().trouble
        )


def test_both_copies_of_the_pointer(copied: Settings, whole: tuple[Path, Answers]) -> None:
    for name in ("CURRENT", "CURRENT.copy"):
        (copied.data_dir / "generations" / name).write_bytes(b"000002")
    with open_engine(copied, write=True) as engine:
        assert any("CURRENT" in said for said in engine.repairs)
        assert answers(engine) == whole[1]


def test_both_copies_of_the_manifest(
    copied: Settings, whole: tuple[Path, Answers], nothing_embedded: None
) -> None:
    for name in ("MANIFEST", "MANIFEST.copy"):
        path = next(copied.data_dir.glob(f"generations/*/{name}"))
        path.write_bytes(path.read_bytes()[:-3])
    with open_engine(copied, write=True) as engine:
        assert any("manifest" in said for said in engine.repairs)
        assert answers(engine) == whole[1]
    assert list((copied.data_dir / "damaged").iterdir())


def test_an_index_that_lost_files_without_being_closed(
    copied: Settings, whole: tuple[Path, Answers], nothing_embedded: None
) -> None:
    lexical = next(copied.data_dir.glob("generations/*/lexical"))
    (lexical / "closed.json").unlink()
    next(lexical.glob("*.term")).unlink()
    with open_engine(copied, write=True) as engine:
        assert "lexical" in engine.repairs[0]
        assert answers(engine) == whole[1]


def test_an_unclosed_index_is_checked_by_the_checksums_of_its_segments(
    copied: Settings, whole: tuple[Path, Answers], nothing_embedded: None
) -> None:
    lexical = next(copied.data_dir.glob("generations/*/lexical"))
    (lexical / "closed.json").unlink()
    flip(next(lexical.glob("*.pos")), 3)
    with open_engine(copied, write=True) as engine:
        assert ".pos is not what was written" in engine.repairs[0]
        assert answers(engine) == whole[1]


def test_flipped_bytes_in_the_catalog_are_never_served(
    whole: tuple[Path, Answers], tmp_path: Path
) -> None:
    """Every read returns what was written, or raises an error."""
    data, _ = whole
    with open_engine(load_settings(data)) as engine:
        versions = engine.catalog.fetch(engine.catalog.newest(100))
    chance, told = random.Random(3), 0
    for number in range(rounds(40, 400)):
        copy = tmp_path / str(number)
        shutil.copytree(data, copy)
        file = copy / "catalog.sqlite"
        flip(file, chance.randrange(file.stat().st_size))
        try:
            with open_engine(load_settings(copy), maintenance="thread") as engine:
                for ordinal, stored in versions.items():
                    assert engine.catalog.fetch([ordinal]).get(ordinal) in (stored, None)
                told += bool(engine.catalog.health.malformed() or engine.catalog.health.damaged())
        except SearchError:
            told += 1
        shutil.rmtree(copy)
    assert told >= rounds(20, 200)
