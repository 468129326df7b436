"""Generations: published completely, held by readers, collected when unused."""

import threading
from pathlib import Path

import pytest

from hybrid_search.core.errors import IndexCorrupt
from hybrid_search.engine.factory import open_engine
from hybrid_search.files.atomic_files import damaged_copies, read_two_copies, write_two_copies
from hybrid_search.files.quarantine import KEPT, Repairs
from hybrid_search.files.versioned_dirs import VersionedDirs
from tests.reliability.swapping import Asking, prepared, swap
from tests.rounds import rounds

SWAPS = rounds(3, 25)


def made(folders: VersionedDirs, text: str = "x") -> Path:
    folder = folders.begin()
    (folder / "file").write_text(text)
    return folders.publish(folder)


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.is_dir())


def test_previous_generation_is_kept_and_older_ones_removed(tmp_path: Path) -> None:
    folders = VersionedDirs(tmp_path)
    assert folders.current() is None
    assert folders.hold() is None
    for _ in range(4):
        made(folders)
    assert names(tmp_path) == ["000003", "000004"]
    assert folders.current() == tmp_path / "000004"
    assert folders.previous() == tmp_path / "000003"
    folders.point_to(tmp_path / "000003")
    assert folders.current() == tmp_path / "000003"
    assert made(folders).name == "000005"


def test_generation_being_written_is_invisible(tmp_path: Path) -> None:
    folders = VersionedDirs(tmp_path)
    first = made(folders)
    aside = folders.begin()
    assert (folders.current(), folders.previous()) == (first, None)
    assert aside.name == ".000002"
    assert VersionedDirs(tmp_path).begin() == aside, "what a crash left is begun anew"


def test_held_generation_is_not_collected(tmp_path: Path) -> None:
    folders = VersionedDirs(tmp_path)
    made(folders)
    held = VersionedDirs(tmp_path).hold()
    assert held is not None
    for _ in range(3):
        made(folders)
    assert names(tmp_path) == ["000001", "000003", "000004"]
    held[1].release()
    held[1].release()
    made(folders)
    assert names(tmp_path) == ["000004", "000005"]


def test_forgotten_hold_is_released(tmp_path: Path) -> None:
    folders = VersionedDirs(tmp_path)
    made(folders)
    held = folders.hold()
    del held
    for _ in range(2):
        made(folders)
    assert names(tmp_path) == ["000002", "000003"]


def test_readers_always_find_a_complete_generation(tmp_path: Path) -> None:
    folders, ending, wrong = VersionedDirs(tmp_path), threading.Event(), list[str]()
    made(folders)
    reads = [0] * 3

    def read(place: int) -> None:
        while not ending.is_set():
            held = VersionedDirs(tmp_path).hold()
            if held is None:
                wrong.append("none")
            else:
                text = (held[0] / "file").read_text()
                held[1].release()
                wrong.extend([] if text in {"x", "y" * 1000} else [text])
            reads[place] += 1

    threads = [threading.Thread(target=read, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(60):
        made(folders, "y" * 1000)
    ending.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert min(reads) > 0


def test_small_files_are_kept_twice(tmp_path: Path) -> None:
    path = tmp_path / "FACTS"
    assert read_two_copies(path) is None
    write_two_copies(path, b"some facts")
    assert damaged_copies(path) == []
    copies = (path, path.with_name("FACTS.copy"))
    for damaged in copies:
        write_two_copies(path, b"some facts")
        damaged.write_bytes(damaged.read_bytes()[:-1])
        assert read_two_copies(path) == b"some facts"
        assert damaged_copies(path) == [damaged]
    for copy in copies:
        copy.write_bytes(b"")
    with pytest.raises(IndexCorrupt, match="and its copy are damaged"):
        read_two_copies(path)


def test_few_damaged_files_are_kept(tmp_path: Path) -> None:
    repairs = Repairs(tmp_path / "damaged")
    for number in range(KEPT + 3):
        path = tmp_path / f"file{number}"
        path.write_text("damaged")
        repairs.set_aside(path)
    kept = sorted(p.name.rpartition("-")[2] for p in (tmp_path / "damaged").iterdir())
    assert kept == [f"file{number}" for number in range(3, KEPT + 3)]
    repairs.note("")
    assert repairs.done == []


def test_every_result_comes_from_one_generation_during_publishing(
    tmp_path: Path,
) -> None:
    """A few generations; ``bench/swaps.py`` uses fifty, and a reading process."""
    base = prepared(tmp_path)
    with (
        open_engine(base.settings, write=True, maintenance="thread") as engine,
        Asking(engine, base.allowed, threads=2) as asking,
    ):
        served = {swap(engine, base, number) for number in range(SWAPS)}
        asking.wait_for(500)
    assert len(served) == SWAPS
    assert asking.wrong == []
    assert min(asking.by_model) > 0
