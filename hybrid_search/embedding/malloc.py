"""The C library's heap, while pictures are embedded by the batch.

A batch takes some hundred megabytes and frees them again. glibc gives that back to the system at
once, and the system fills every page with zeros before the next batch gets it: a fifth of an
ingest. So what is freed is kept until the last batch.
"""

from __future__ import annotations

import ctypes
import sys
import threading

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of ``mallopt``, as malloc.h has them."""
_KEPT, _USUAL = (1 << 29, 1 << 30), (1 << 26, 1 << 25)
"""Bytes at the top of the heap that are not given back, and of a piece that is taken apart from it:
while batches are embedded, and what glibc comes to by itself in a program with large pieces."""
_changing = threading.Lock()
_keeping = False


def keep_freed() -> None:
    """Keep what is freed, up to half a gigabyte; nothing where the C library is another one."""
    global _keeping  # noqa: PLW0603  there is one heap in a process
    with _changing:
        if not _keeping and (library := _glibc()) is not None:
            _set(library, _KEPT)
            _keeping = True


def give_back() -> None:
    """Give what was kept back to the system."""
    global _keeping  # noqa: PLW0603
    with _changing:
        if _keeping and (library := _glibc()) is not None:
            _set(library, _USUAL)
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
