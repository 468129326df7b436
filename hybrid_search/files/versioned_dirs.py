"""Numbered folders, of which one serves: written aside, published by a rename, collected later.

A reader holds the folder that it reads by a shared lock on the folder itself, which a volume that
is read-only allows too; a folder that anybody holds is left alone.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import weakref
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from hybrid_search.core.errors import IndexCorrupt
from hybrid_search.files.atomic_files import (
    damaged_copies,
    forget,
    mend,
    publish,
    read_either,
    storing,
    sync,
    write_twice,
)
from hybrid_search.files.quarantine import Repairs

_POINTER = "CURRENT"
_TRIES = 100


class Hold:
    """A folder that stays as long as this does."""

    def __init__(self, descriptor: int) -> None:
        self._close = weakref.finalize(self, os.close, descriptor)

    def release(self) -> None:
        """Let go; a second time is no error."""
        self._close()


class GenerationFolders:
    """The generations below one folder, and the pointer to the one that serves."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def current(self) -> Path | None:
        """The folder of the generation that serves; ``None`` before the first.

        Where the pointer cannot be read, the last that was published.
        """
        try:
            named = read_either(self._root / _POINTER)
        except IndexCorrupt:
            return max(self._published(), default=None)
        return None if named is None else self._root / named.decode("ascii")

    def hold(self) -> tuple[Path, Hold] | None:
        """The same, held: it is not collected before it is released."""
        for _ in range(_TRIES):
            folder = self.current()
            if folder is None:
                return None
            if (hold := _hold(folder)) is not None:
                return folder, hold
        raise IndexCorrupt(f"{self._root}: the generation that CURRENT names is not there")

    def previous(self) -> Path | None:
        """The folder of the other generation that is kept: what served before this one."""
        served = self.current()
        return max((p for p in self._published() if p != served), default=None)

    def begin(self) -> Path:
        """An empty folder for the next generation, which nobody sees; what was left is removed."""
        for left in self._root.glob(".[0-9]*"):
            shutil.rmtree(left, ignore_errors=True)
        served = self.current()
        known = self._published() if served is None else [*self._published(), served]
        numbers = [int(folder.name) for folder in known]
        folder = self._root / f".{max(numbers, default=0) + 1:06d}"
        with storing(folder):
            folder.mkdir(parents=True)
        return folder

    def publish(self, written: Path) -> Path:
        """Where that generation lies from now on; it serves, and older ones are collected."""
        final = written.with_name(written.name.removeprefix("."))
        for folder in written.rglob("*/"):
            sync(folder)
        publish(written, final)
        self.point_to(final)
        return final

    def point_to(self, folder: Path) -> None:
        """Let a generation that was published serve, durably."""
        served = self.current()
        write_twice(self._root / _POINTER, folder.name.encode())
        self._collect(keep={folder, served})

    def set_aside(self, repairs: Repairs) -> None:
        """Move the generation that serves out of the way; the one before serves, if any."""
        served, previous = self.current(), self.previous()
        if served is not None and served.is_dir():
            repairs.set_aside(served)
        if previous is not None:
            self.point_to(previous)
        else:
            forget(self._root / _POINTER)

    def damage(self) -> str:
        """What is wrong with the pointer; empty when nothing is."""
        damaged = damaged_copies(self._root / _POINTER)
        return f"{', '.join(map(str, damaged))}: not what was written" if damaged else ""

    def mend(self) -> str:
        """What was wrong with the pointer and is put right; empty when nothing was."""
        pointer = self._root / _POINTER
        try:
            return f"{pointer} was written again" if mend(pointer) else ""
        except IndexCorrupt:
            served = self.current()
            if served is None:
                forget(pointer)
                return f"{pointer} names nothing any more"
            write_twice(pointer, served.name.encode())
            return f"{pointer} was damaged; it names {served.name} now, the last one"

    def _published(self) -> list[Path]:
        return [path for path in self._root.glob("[0-9]*") if path.name.isdigit()]

    def _collect(self, keep: Iterable[Path | None]) -> None:
        """Remove what nobody holds."""
        for old in set(self._published()) - set(keep):
            # What cannot be removed now is removed after the next.
            with suppress(OSError):
                if _is_free(old):
                    # First out of sight: whoever opens it meanwhile finds nothing, and looks again.
                    gone = old.rename(old.with_name(f".{old.name}.old"))
                    shutil.rmtree(gone, ignore_errors=True)


def _hold(folder: Path) -> Hold | None:
    """``None`` where the folder is gone, or going."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), folder.stat()):
            return Hold(descriptor)
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None


def _is_free(folder: Path) -> bool:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
