"""Files that are either wholly there or not at all, also after a power cut.

A rename is atomic, but it only survives a power cut when the folder is synced after it, and
only names whole content when the file was synced before it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hybrid_search.core.errors import EngineFailure, IndexCorrupt, StorageFull, is_full


def sync(path: Path) -> None:
    """Force a file's content, or a folder's entries, onto the disk."""
    with storing(path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def publish(written: Path, final: Path) -> None:
    """Give a finished file or folder its final name, atomically and durably."""
    sync(written)
    with storing(final):
        written.replace(final)
    sync(final.parent)


def make_folder(path: Path) -> None:
    """Make the folder and those above it, each durably; nothing where it is there."""
    if not path.is_dir():
        make_folder(path.parent)
        with storing(path):
            path.mkdir(exist_ok=True)
        sync(path.parent)


def write_whole(path: Path, data: bytes) -> None:
    """Put the bytes at ``path``; readers see the old content or the new, never a part.

    Raises as ``storing`` does; what is there then is still one or the other.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with storing(path):
            aside.write_bytes(data)
        publish(aside, path)
    except BaseException:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Say ``StorageFull`` where the system finds no space left, ``EngineFailure`` where it fails.

    ``path`` is what the message names.
    """
    try:
        yield
    except OSError as failure:
        if is_full(failure):
            raise StorageFull(f"no space left for {path}; free some and try again") from failure
        raise EngineFailure(f"{path} cannot be written: {failure.strerror or failure}") from failure


def check_room(folder: Path, reserve_mb: int) -> None:
    """Raise ``StorageFull`` when less than so many megabytes are free where the folder lies."""
    free = shutil.disk_usage(folder).free >> 20
    if free < reserve_mb:
        raise StorageFull(
            f"no space left: {free:,} MB are free for {folder}, {reserve_mb:,} must stay so"
            " (storage.reserve_mb); free some and try again"
        )


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def with_checksum(data: bytes) -> bytes:
    r"""The data after a line with its SHA-256.

    >>> without_checksum(with_checksum(b"some data"))
    b'some data'
    """
    return hashlib.sha256(data).hexdigest().encode() + b"\n" + data


def without_checksum(content: bytes) -> bytes:
    """The data that ``with_checksum`` was given; raises ``ValueError`` if it is not that."""
    checksum, _, data = content.partition(b"\n")
    if hashlib.sha256(data).hexdigest().encode() != checksum:
        raise ValueError("not what was written")
    return data


def write_twice(path: Path, data: bytes) -> None:
    """Keep a few bytes, on which much hangs, in two files with a checksum each."""
    for copy in _copies(path):
        write_whole(copy, with_checksum(data))


def read_either(path: Path) -> bytes | None:
    """What ``write_twice`` wrote, from the first of the files that is whole; ``None`` without any.

    Raises ``IndexCorrupt`` when none is whole.
    """
    found = [copy.read_bytes() for copy in _copies(path) if copy.is_file()]
    for content in found:
        with suppress(ValueError):
            return without_checksum(content)
    if found:
        raise IndexCorrupt(f"{path} and its copy are damaged")
    return None


def mend(path: Path) -> bool:
    """Write again what ``write_twice`` wrote where one of the files is not whole; whether so."""
    data = read_either(path)
    if data is None:
        return False
    damaged = damaged_copies(path)
    for copy in damaged:
        write_whole(copy, with_checksum(data))
    return bool(damaged)


def damaged_copies(path: Path) -> list[Path]:
    """Those of the two files of ``write_twice`` that are lacking, or not like the first whole one.

    Both, where none is whole.
    """
    try:
        data = read_either(path)
    except IndexCorrupt:
        return list(_copies(path))
    checked = with_checksum(data or b"")
    return [copy for copy in _copies(path) if not copy.is_file() or copy.read_bytes() != checked]


def forget(path: Path) -> None:
    """Remove what ``write_twice`` wrote."""
    for copy in _copies(path):
        with storing(copy):
            copy.unlink(missing_ok=True)
    sync(path.parent)


def _copies(path: Path) -> tuple[Path, Path]:
    return path, path.with_name(f"{path.name}.copy")
