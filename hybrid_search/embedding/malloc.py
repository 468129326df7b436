"""Settings of glibc's heap while batches of pictures are embedded.

A batch allocates some hundred megabytes and frees them. By default glibc returns them to the system
at once, and zeroing the pages again for the next batch takes a fifth of the time of an ingest. So
freed memory is kept until the last batch.
"""

from __future__ import annotations

import ctypes
import sys
import threading

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of ``mallopt``, from malloc.h."""
_KEEP, _DEFAULT = (1 << 29, 1 << 30), (1 << 26, 1 << 25)
"""The trim and mmap thresholds in bytes: while batches are embedded, and those that glibc's dynamic
adjustment reaches in a program with large allocations."""
_changing = threading.Lock()
_keeping = False


def keep_freed() -> None:
    """Keep up to half a gigabyte of freed memory; no effect without glibc."""
    global _keeping  # noqa: PLW0603  one allocator a process  there is one heap in a process
    with _changing:
        if not _keeping and (library := _glibc()) is not None:
            _set(library, _KEEP)
            _keeping = True


def give_back() -> None:
    """Return kept memory to the system and restore the thresholds."""
    global _keeping  # noqa: PLW0603  one allocator a process
    with _changing:
        if _keeping and (library := _glibc()) is not None:
            _set(library, _DEFAULT)
            library.malloc_trim(0)
            _keeping = False


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None


def _set(library: ctypes.CDLL, thresholds: tuple[int, int]) -> None:
    trim, mmap = thresholds
    library.mallopt(_TRIM_THRESHOLD, trim)
    library.mallopt(_MMAP_THRESHOLD, mmap)
