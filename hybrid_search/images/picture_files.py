"""Picture files named by a manifest, restricted to its folder and to a maximum size.

A path is checked when its row is read, and again when its bytes are read, because the file may have
changed in between.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from hybrid_search.core.errors import InvalidAsset


def file_source(root: Path, name: str, max_bytes: int) -> Callable[[], bytes]:
    """A function that reads the file.

    Raises ``InvalidAsset`` for a URL, a path outside of ``root``, a missing file, or one of more
    than ``max_bytes`` bytes. The function raises it if the file has changed so since.
    """
    if "://" in name:
        raise InvalidAsset(f"image: {name[:100]!r} is a URL; URLs are never fetched")
    try:
        path = (root / name).resolve()
        inside = path.is_relative_to(root.resolve())
        exists = inside and path.is_file()
        size = path.stat().st_size if exists else 0
    except (OSError, RuntimeError, ValueError) as failure:
        # A loop of links is a RuntimeError before Python 3.13.
        raise InvalidAsset(
            f"image: {name[:100]!r} is an invalid path: {_reason(failure)}"
        ) from None
    if not inside:
        raise InvalidAsset(f"image: {name[:100]!r} is outside of the manifest's folder")
    if not exists:
        raise InvalidAsset(f"image: no file at {name[:100]!r}")
    check_length(size, max_bytes)
    return lambda: _read_bounded(path, max_bytes)


def _reason(failure: Exception) -> str:
    return (getattr(failure, "strerror", None) or str(failure))[:200]


def check_length(size: int, max_bytes: int) -> None:
    """Raise ``InvalidAsset`` for a picture of more than ``max_bytes`` bytes."""
    if size > max_bytes:
        raise InvalidAsset(f"image: {size:,} bytes, the limit is {max_bytes:,}")


def _read_bounded(path: Path, max_bytes: int) -> bytes:
    """The file's bytes; it may have become longer, or a pipe, since it was checked."""
    link = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(link, "rb") as file:  # noqa: PTH123  a descriptor has no path
        if not stat.S_ISREG(os.fstat(link).st_mode):
            raise InvalidAsset(f"image: {path.name[:100]!r} is no longer a regular file")
        data = file.read(max_bytes + 1)
    check_length(len(data), max_bytes)
    return data
