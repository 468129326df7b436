"""The folder in which indexes are sealed, one after the other, by whichever process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from hybrid_search.adapters.faiss_sealed import Sealed, open_sealed
from hybrid_search.durable import Generations
from hybrid_search.errors import IndexCorrupt, IndexLocked

_LOOK_EVERY = 0.2
"""Seconds between two looks at whether another process has sealed an index."""


class Sealings:
    """What is sealed last, and a place for the next."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._generations = Generations(folder)
        self._looked = 0.0
        self.trouble = ""
        """What was found damaged; empty when nothing is."""

    def newest(self) -> Sealed | None:
        """What was sealed last; a damaged one counts as none, and is reported."""
        folder = self._generations.current()
        if folder is None:
            return None
        try:
            sealed = open_sealed(folder)
        except IndexCorrupt as failure:
            self.trouble = str(failure)
            return None
        self.trouble = ""
        return sealed

    def has_other_than(self, served: Path | None) -> bool:
        """Whether another one was sealed since; looks at most every so often."""
        now = time.monotonic()
        if now - self._looked < _LOOK_EVERY:
            return False
        current = self._generations.current()
        if current is None or current == served:
            self._looked = now
            return False
        return True

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """A folder for the next one; raises ``IndexLocked`` while another process writes one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self._folder / "sealing.lock", timeout=0):
                yield self._generations.begin()
        except Timeout:
            raise IndexLocked("vectors: another process builds an index; try again") from None

    def publish(self, folder: Path) -> Sealed:
        """Let the one in that folder be the last; older than the one before are removed."""
        sealed = open_sealed(folder)
        self._generations.publish(folder)
        self.trouble = ""
        return sealed
