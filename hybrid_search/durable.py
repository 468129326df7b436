"""Files that are either wholly there or not at all, also after a power cut.

A rename is atomic, but it only survives a power cut when the folder is synced after it, and
only names whole content when the file was synced before it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def sync(path: Path) -> None:
    """Force a file's content, or a folder's entries, onto the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(written: Path, final: Path) -> None:
    """Give a finished file or folder its final name, atomically and durably."""
    sync(written)
    written.replace(final)
    sync(final.parent)


def write_whole(path: Path, data: bytes) -> None:
    """Put the bytes at ``path``; readers see the old content or the new, never a part."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.write_bytes(data)
        publish(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
