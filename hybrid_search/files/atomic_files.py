"""Atomic and durable writes: a file has its old content or its new content, never a part.

A rename is atomic. It survives a power cut only if the folder is synced after it, and it names
complete content only if the file was synced before it.
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
    """Force a file's content, or a folder's entries, to the disk."""
    with storing(path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def publish(written: Path, final: Path) -> None:
    """Rename a complete file or folder to its final name, atomically and durably."""
    sync(written)
    with storing(final):
        written.replace(final)
    sync(final.parent)


def make_folder(path: Path) -> None:
    """Create the folder and its parents durably; an existing one is left as it is."""
    if not path.is_dir():
        make_folder(path.parent)
        with storing(path):
            path.mkdir(exist_ok=True)
        sync(path.parent)


def write_atomically(path: Path, data: bytes) -> None:
    """Write the bytes to ``path``; readers see the old content or the new, never a part.

    Raises ``StorageFull`` and ``EngineFailure``; the file then has its old or its new content.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with storing(path):
            part.write_bytes(data)
        publish(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Translate an ``OSError`` inside to ``StorageFull`` for a full disk, else ``EngineFailure``.

    The message names ``path``.
    """
    try:
        yield
    except OSError as failure:
        if is_full(failure):
            raise StorageFull(f"no space left for {path}; free some and try again") from failure
        raise EngineFailure(f"{path} cannot be written: {failure.strerror or failure}") from failure


def check_room(folder: Path, reserve_mb: int) -> None:
    """Raise ``StorageFull`` if less than ``reserve_mb`` MiB are free on the folder's disk."""
    free = shutil.disk_usage(folder).free >> 20
    if free < reserve_mb:
        raise StorageFull(
            f"no space left: {free:,} MB are free for {folder}, at least {reserve_mb:,} must be"
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
    """The data that ``with_checksum`` was given; raises ``ValueError`` for a wrong checksum."""
    checksum, _, data = content.partition(b"\n")
    if hashlib.sha256(data).hexdigest().encode() != checksum:
        raise ValueError("the checksum does not match")
    return data


def write_two_copies(path: Path, data: bytes) -> None:
    """Write a small important file in two copies with a checksum each, durably.

    The second copy of ``NAME`` is ``NAME.copy``.
    """
    for copy in _copies(path):
        write_atomically(copy, with_checksum(data))


def read_two_copies(path: Path) -> bytes | None:
    """The data of the first intact copy; ``None`` if there is no copy.

    Raises ``IndexCorrupt`` if no copy is intact.
    """
    found = [copy.read_bytes() for copy in _copies(path) if copy.is_file()]
    for content in found:
        with suppress(ValueError):
            return without_checksum(content)
    if found:
        raise IndexCorrupt(f"{path} and its copy are damaged")
    return None


def mend(path: Path) -> bool:
    """Rewrite missing and damaged copies from an intact one; whether there were any.

    Raises ``IndexCorrupt`` if no copy is intact.
    """
    data = read_two_copies(path)
    if data is None:
        return False
    damaged = damaged_copies(path)
    for copy in damaged:
        write_atomically(copy, with_checksum(data))
    return bool(damaged)


def damaged_copies(path: Path) -> list[Path]:
    """The copies that are missing or differ from the first intact one; both if none is intact."""
    try:
        data = read_two_copies(path)
    except IndexCorrupt:
        return list(_copies(path))
    expected = with_checksum(data or b"")
    return [copy for copy in _copies(path) if not copy.is_file() or copy.read_bytes() != expected]


def forget(path: Path) -> None:
    """Remove both copies durably."""
    for copy in _copies(path):
        with storing(copy):
            copy.unlink(missing_ok=True)
    sync(path.parent)


def _copies(path: Path) -> tuple[Path, Path]:
    return path, path.with_name(f"{path.name}.copy")
