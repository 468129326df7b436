"""The folder in which indexes are segment, one after the other, by whichever process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hybrid_search.core.errors import IndexCorrupt
from hybrid_search.files.file_lock import alone
from hybrid_search.files.quarantine import Repairs
from hybrid_search.files.versioned_dirs import GenerationFolders
from hybrid_search.stores.embedded.vector.segment import Segment, open_segment

_LOOK_EVERY = 0.2
"""Seconds between two looks at whether another process has segment an index."""


class SegmentStore:
    """What is segment last, and a place for the next."""

    def __init__(self, folder: Path) -> None:
        refusal = "vectors: another process builds an index; try again"
        self._lock = folder / "sealing.lock", refusal
        self._generations = GenerationFolders(folder)
        self._looked = 0.0
        self.trouble = ""
        """What was found damaged; empty when nothing is."""
        self._damaged: Path | None = None

    def newest(self, *, hashes: bool = False) -> Segment | None:
        """What was segment last, checked by size or hash; a damaged one is none, and reported."""
        try:
            held = self._generations.hold()
            segment = None if held is None else open_segment(*held, hashes=hashes)
        except IndexCorrupt as failure:
            self.trouble, self._damaged = str(failure), self._generations.current()
            return None
        self.trouble, self._damaged = "", None
        return segment

    def has_other_than(self, served: Path | None) -> bool:
        """Whether another one was segment since; looks at most every so often."""
        now = time.monotonic()
        if now - self._looked < _LOOK_EVERY:
            return False
        current = self._generations.current()
        if current is None or current in {served, self._damaged}:
            self._looked = now
            return False
        return True

    def first(self, repairs: Repairs | None, *, hashes: bool) -> Segment | None:
        """The newest at the start; with ``repairs``, the newest whole one, others set aside."""
        if repairs is not None:
            repairs.note(self._generations.mend())
        segment = self.newest(hashes=hashes)
        while repairs is not None and self.trouble:
            with alone(*self._lock):
                repairs.note(f"{self.trouble}; set aside, what it held comes from the catalog")
                self._generations.set_aside(repairs)
            segment = self.newest(hashes=hashes)
        return segment

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """A folder for the next one; raises ``IndexLocked`` while another process writes one."""
        with alone(*self._lock):
            yield self._generations.begin()

    def publish(self, folder: Path) -> Segment:
        """Let the one in that folder be the last; older than the one before are removed."""
        open_segment(folder)
        self._generations.publish(folder)
        segment = self.newest()
        if segment is None:
            raise IndexCorrupt(self.trouble)
        return segment
