"""The folder of a vector index, in which any process publishes segments."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hybrid_search.core.errors import IndexCorrupt
from hybrid_search.files.file_lock import exclusive_lock
from hybrid_search.files.quarantine import Repairs
from hybrid_search.files.versioned_dirs import VersionedDirs
from hybrid_search.stores.embedded.vector.segment import Segment, open_segment

_LOOK_EVERY = 0.2
"""Seconds between two checks for a segment of another process."""


class SegmentStore:
    """The published segments of one index, of which the newest serves."""

    def __init__(self, folder: Path) -> None:
        refusal = "vectors: another process builds an index; try again"
        self._lock = folder / "sealing.lock", refusal
        self._generations = VersionedDirs(folder)
        self._looked = 0.0
        self.trouble = ""
        """What is damaged in the newest segment; empty without damage."""
        self._damaged: Path | None = None

    def newest(self, *, hashes: bool = False) -> Segment | None:
        """The newest segment, checked by size or hash.

        ``None`` before the first, and for a damaged one, which ``trouble`` then describes.
        """
        try:
            held = self._generations.hold()
            segment = None if held is None else open_segment(*held, hashes=hashes)
        except IndexCorrupt as failure:
            self.trouble, self._damaged = str(failure), self._generations.current()
            return None
        self.trouble, self._damaged = "", None
        return segment

    def has_other_than(self, served: Path | None) -> bool:
        """Whether another segment is published; looks at the disk five times a second at most."""
        now = time.monotonic()
        if now - self._looked < _LOOK_EVERY:
            return False
        current = self._generations.current()
        if current is None or current in {served, self._damaged}:
            self._looked = now
            return False
        return True

    def first(self, repairs: Repairs | None, *, hashes: bool) -> Segment | None:
        """The newest segment; with ``repairs``, damaged ones are moved away until one is whole."""
        if repairs is not None:
            repairs.note(self._generations.mend())
        segment = self.newest(hashes=hashes)
        while repairs is not None and self.trouble:
            with exclusive_lock(*self._lock):
                repairs.note(f"{self.trouble}; moved away, its vectors are read from the catalog")
                self._generations.set_aside(repairs)
            segment = self.newest(hashes=hashes)
        return segment

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """A folder for a new segment; raises ``IndexLocked`` while another process writes one."""
        with exclusive_lock(*self._lock):
            yield self._generations.begin()

    def publish(self, folder: Path) -> Segment:
        """Publish the segment in the folder and open it; only the one before is kept too."""
        open_segment(folder)
        self._generations.publish(folder)
        segment = self.newest()
        if segment is None:
            raise IndexCorrupt(self.trouble)
        return segment
