"""Locks between processes, in files that stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hybrid_search.core.errors import IndexLocked
from hybrid_search.files.atomic_files import make_folder, storing


@contextmanager
def exclusive_lock(path: Path, refusal: str) -> Iterator[None]:
    """Hold the lock in that file; raises ``IndexLocked``, which says so, while another does."""
    # Imported here because only writers lock, and it imports asyncio.
    from filelock import FileLock, Timeout

    make_folder(path.parent)
    with ExitStack() as stack:
        with storing(path):
            try:
                stack.enter_context(FileLock(path, timeout=0))
            except Timeout:
                raise IndexLocked(refusal) from None
        yield
