"""Files that are either wholly there or not at all, also after a power cut.

A rename is atomic, but it only survives a power cut when the folder is synced after it, and
only names whole content when the file was synced before it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

_POINTER = "CURRENT"


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


class Generations:
    """The generations below one folder, and the pointer to the one that serves."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def current(self) -> Path | None:
        """The folder of the generation that serves; ``None`` before the first."""
        pointer = self._root / _POINTER
        return self._root / pointer.read_text("ascii").strip() if pointer.is_file() else None

    def previous(self) -> Path | None:
        """The folder of the other generation that is kept: what served before this one."""
        served = self.current()
        kept = [p for p in sorted(self._root.glob("[0-9]*")) if p != served]
        return kept[-1] if kept else None

    def begin(self) -> Path:
        """An empty folder for the next generation, which nobody sees yet."""
        numbers = [int(p.name) for p in self._root.glob("[0-9]*") if p.name.isdigit()]
        served = self.current()
        number = max([int(served.name) if served else 0, *numbers], default=0) + 1
        folder = self._root / f"{number:06d}"
        folder.mkdir(parents=True)
        return folder

    def publish(self, folder: Path) -> None:
        """Let that generation serve, durably, and remove those before the last one."""
        served = self.current()
        write_whole(self._root / _POINTER, folder.name.encode())
        keep = {folder, served}
        for old in self._root.glob("[0-9]*"):
            if old not in keep:
                shutil.rmtree(old, ignore_errors=True)
