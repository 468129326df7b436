"""Numbered folders with a pointer to the current one.

A new folder is written under a hidden name and published by a rename. Older folders are removed
later, but not while a reader holds one: readers take a shared lock on the folder itself, which
works on a read-only volume too.
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
    read_two_copies,
    storing,
    sync,
    write_two_copies,
)
from hybrid_search.files.quarantine import Repairs

_POINTER = "CURRENT"
_TRIES = 100


class Hold:
    """A shared lock on a folder: it is not removed before ``release``."""

    def __init__(self, descriptor: int) -> None:
        self._close = weakref.finalize(self, os.close, descriptor)

    def release(self) -> None:
        """Release the lock. A second call has no effect."""
        self._close()


class VersionedDirs:
    """The generations below one folder, and the pointer to the current one."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def current(self) -> Path | None:
        """The folder of the current generation; ``None`` before the first.

        If the pointer cannot be read, the last published one.
        """
        try:
            named = read_two_copies(self._root / _POINTER)
        except IndexCorrupt:
            return max(self._published(), default=None)
        return None if named is None else self._root / named.decode("ascii")

    def hold(self) -> tuple[Path, Hold] | None:
        """The current folder with a shared lock on it; ``None`` before the first.

        Raises ``IndexCorrupt`` if the pointer names a missing folder.
        """
        for _ in range(_TRIES):
            folder = self.current()
            if folder is None:
                return None
            if (hold := _hold(folder)) is not None:
                return folder, hold
        raise IndexCorrupt(f"{self._root}: the generation that CURRENT names is missing")

    def previous(self) -> Path | None:
        """The folder of the generation before the current one; ``None`` without one."""
        current = self.current()
        return max((p for p in self._published() if p != current), default=None)

    def begin(self) -> Path:
        """A new empty hidden folder for the next generation; leftovers are removed."""
        for left in self._root.glob(".[0-9]*"):
            shutil.rmtree(left, ignore_errors=True)
        current = self.current()
        known = self._published() if current is None else [*self._published(), current]
        numbers = [int(folder.name) for folder in known]
        folder = self._root / f".{max(numbers, default=0) + 1:06d}"
        with storing(folder):
            folder.mkdir(parents=True)
        return folder

    def publish(self, written: Path) -> Path:
        """The final folder of a written generation, which is now current.

        Older generations than the previous one are removed.
        """
        final = written.with_name(written.name.removeprefix("."))
        for folder in written.rglob("*/"):
            sync(folder)
        publish(written, final)
        self.point_to(final)
        return final

    def point_to(self, folder: Path) -> None:
        """Make a published generation the current one, durably."""
        current = self.current()
        write_two_copies(self._root / _POINTER, folder.name.encode())
        self._collect(keep={folder, current})

    def set_aside(self, repairs: Repairs) -> None:
        """Quarantine the current generation and return to the previous one, if there is one."""
        current, previous = self.current(), self.previous()
        if current is not None and current.is_dir():
            repairs.set_aside(current)
        if previous is not None:
            self.point_to(previous)
        else:
            forget(self._root / _POINTER)

    def damage(self) -> str:
        """A sentence on damage to the pointer; empty without damage."""
        damaged = damaged_copies(self._root / _POINTER)
        return f"{', '.join(map(str, damaged))}: damaged or missing" if damaged else ""

    def mend(self) -> str:
        """A sentence on the repair of the pointer; empty if it was intact."""
        pointer = self._root / _POINTER
        try:
            return f"{pointer} was written again" if mend(pointer) else ""
        except IndexCorrupt:
            current = self.current()
            if current is None:
                forget(pointer)
                return f"{pointer} was damaged and there is no generation; it was removed"
            write_two_copies(pointer, current.name.encode())
            return f"{pointer} was damaged; it names the last generation now, {current.name}"

    def _published(self) -> list[Path]:
        return [path for path in self._root.glob("[0-9]*") if path.name.isdigit()]

    def _collect(self, keep: Iterable[Path | None]) -> None:
        """Remove the other generations that no reader holds."""
        for old in set(self._published()) - set(keep):
            # What cannot be removed now is removed next time.
            with suppress(OSError):
                if _is_free(old):
                    # Hidden first: a reader that comes meanwhile finds nothing and retries.
                    gone = old.rename(old.with_name(f".{old.name}.old"))
                    shutil.rmtree(gone, ignore_errors=True)


def _hold(folder: Path) -> Hold | None:
    """A shared lock on the folder; ``None`` if it is removed or being removed."""
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
