"""The files of a Tantivy index: whether they are as they were written.

Every file of a segment ends with its CRC-32; the list of segments has none. So when a writer is
closed, what all files are is written down, and taken away before anything changes again.
"""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from hybrid_search.core.errors import IndexCorrupt
from hybrid_search.files.atomic_files import sync
from hybrid_search.files.checksums import (
    differences,
    from_json,
    read_facts,
    take,
    to_json,
    write_facts,
)

_CLOSED, _META = "closed.json", "meta.json"
_PARTS = ("fast", "fieldnorm", "idx", "pos", "store", "term")
"""The files of a segment, beside those of its deletions."""
_BESIDE = {".managed.json", "analyzer.txt", "fields.json"}
_MAGIC = 1337
"""The last four bytes of a file of Tantivy, after the length of its footer (tantivy 0.22 on)."""


def check_files(folder: Path, *, alone: bool) -> None:
    """Raise ``IndexCorrupt`` for the first file that is not as it was written.

    Who is not ``alone`` with them looks only at those of a closed index, for others may change.
    """
    damage = _damage(folder, alone=alone)
    if damage and (alone or (folder / _CLOSED).is_file()):
        raise IndexCorrupt(f"lexical: {folder} is damaged, {damage}; run: hybrid-search repair")


def damage_beside_a_writer(folder: Path) -> str:
    """What is wrong with the files of an index that may be written; empty when nothing is."""
    while True:
        listed, damage = (folder / _META).read_bytes(), _damage(folder, alone=True)
        # Segments that were merged meanwhile are gone, and no harm is done.
        if not damage or (folder / _META).read_bytes() == listed:
            return damage


def copy_index(folder: Path, target: Path, copy: Callable[[Path, Path], object]) -> None:
    """The index as of one commit, closed, in a new folder; who writes it goes on meanwhile."""
    while True:
        target.mkdir(parents=True)
        listed = (folder / _META).read_bytes()
        named = [path for path in folder.iterdir() if path.name in _BESIDE]
        try:
            for path in (*segment_files(folder), *named):
                copy(path, target / path.name)
        except FileNotFoundError as failure:
            # Merged away meanwhile, where the list is another one now.
            shutil.rmtree(target)
            if (folder / _META).read_bytes() == listed:
                raise IndexCorrupt(f"lexical: {failure.filename} is missing") from None
        else:
            (target / _META).write_bytes(listed)
            return write_down(target)


def _damage(folder: Path, *, alone: bool) -> str:
    try:
        if (folder / _CLOSED).is_file():
            inventory = from_json(read_facts(folder / _CLOSED)["files"])
            return next(iter(differences(folder, inventory)), "")
        return next(_damaged_segments(folder), "") if alone else ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as failure:
        return str(failure)


def write_down(folder: Path) -> None:
    """Keep what all files are; nothing may change until ``forget``."""
    files = [p for p in folder.iterdir() if p.suffix != ".lock" and p.name != _CLOSED]
    write_facts(folder / _CLOSED, {"files": to_json(take(folder, files))})


def forget(folder: Path) -> None:
    """Files are about to change."""
    if (folder / _CLOSED).is_file():
        (folder / _CLOSED).unlink()
        sync(folder)


def segment_files(folder: Path) -> list[Path]:
    """The files of the segments that the list of segments names."""
    files = []
    for segment in orjson.loads((folder / _META).read_bytes())["segments"]:
        name, deletes = segment["segment_id"].replace("-", ""), segment["deletes"]
        files += [folder / f"{name}.{part}" for part in _PARTS]
        if deletes is not None:
            files.append(folder / f"{name}.{deletes['opstamp']}.del")
    return files


def _damaged_segments(folder: Path) -> Iterator[str]:
    for path in segment_files(folder):
        if not _is_whole(path.read_bytes()):
            yield f"{path.name} is not what was written"


def _is_whole(data: bytes) -> bool:
    """Whether the body's CRC-32 is that in the footer: JSON, its length, a magic number."""
    length, magic = struct.unpack("<II", data[-8:])
    footer = orjson.loads(data[-8 - length : -8])
    return bool(magic == _MAGIC and zlib.crc32(data[: -8 - length]) == footer["crc"])
