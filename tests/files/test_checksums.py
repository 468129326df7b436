"""Inventories of files and JSON files with a checksum."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_search.files.atomic_files import with_checksum, without_checksum
from hybrid_search.files.checksums import (
    differences,
    from_json,
    read_facts,
    take,
    to_json,
    write_facts,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.bin").write_bytes(b"first")
    (tmp_path / "sub" / "b.bin").write_bytes(b"second")
    return tmp_path


def test_an_inventory_names_files_by_relative_path_and_survives_json(folder: Path) -> None:
    inventory = take(folder, folder.rglob("*.bin"))
    assert list(inventory) == ["a.bin", "sub/b.bin"]
    assert inventory["a.bin"].bytes == 5
    assert from_json(to_json(inventory)) == inventory
    assert differences(folder, inventory) == []


def test_differences_name_the_file_and_the_kind(folder: Path) -> None:
    inventory = take(folder, folder.rglob("*.bin"))
    (folder / "a.bin").write_bytes(b"tsrif")
    (folder / "sub" / "b.bin").write_bytes(b"second!")
    assert differences(folder, inventory) == [
        "a.bin does not match its checksum",
        "b.bin has 7 bytes instead of 6",
    ]
    assert differences(folder, inventory, hashes=False) == ["b.bin has 7 bytes instead of 6"]
    (folder / "a.bin").unlink()
    assert differences(folder, inventory)[0] == "a.bin is missing"


@pytest.mark.parametrize("content", [{}, {"a": 1}, {"name": "봄", "list": [1, {"x": None}]}])
def test_checked_json_round_trip(tmp_path: Path, content: dict[str, Any]) -> None:
    path = tmp_path / "facts.json"
    write_facts(path, content)
    assert read_facts(path) == content


@pytest.mark.parametrize("content", [b'{"a": 2}', b"[]", b"not json", b'{"a": 1, "sha256": "0"}'])
def test_changed_json_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "facts.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"checksum|unexpected|JSON|expected|control"):
        read_facts(path)


@given(st.binary(max_size=50), st.integers(0, 200))
def test_a_changed_byte_is_noticed(data: bytes, place: int) -> None:
    content = bytearray(with_checksum(data))
    assert without_checksum(bytes(content)) == data
    content[place % len(content)] ^= 1
    with pytest.raises(ValueError, match="checksum"):
        without_checksum(bytes(content))
