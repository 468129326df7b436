"""Files in two copies: either one is enough, and a damaged one is repaired."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hybrid_search.core.errors import IndexCorrupt
from hybrid_search.files.atomic_files import (
    damaged_copies,
    forget,
    mend,
    read_two_copies,
    write_two_copies,
)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "CURRENT"
    write_two_copies(path, b"000001")
    return path


@pytest.mark.parametrize("name", ["CURRENT", "CURRENT.copy"])
@pytest.mark.parametrize("damage", [truncate, Path.unlink])
def test_one_intact_copy_is_enough_and_repairs_the_other(
    path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    damage(path.with_name(name))
    assert read_two_copies(path) == b"000001"
    assert damaged_copies(path) == [path.with_name(name)]
    assert mend(path)
    assert damaged_copies(path) == []
    assert not mend(path)


def test_without_an_intact_copy_reading_fails(path: Path) -> None:
    truncate(path)
    truncate(path.with_name("CURRENT.copy"))
    for read in (read_two_copies, mend):
        with pytest.raises(IndexCorrupt, match="CURRENT and its copy are damaged"):
            read(path)
    assert len(damaged_copies(path)) == 2


def test_a_removed_file_is_absent(path: Path) -> None:
    forget(path)
    assert list(path.parent.iterdir()) == []
    assert read_two_copies(path) is None
    assert not mend(path)
