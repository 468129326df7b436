"""Errors of Tantivy as errors of this package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hybrid_search.core.errors import (
    EngineFailure,
    IndexLocked,
    SearchError,
    StorageFull,
    is_full,
)


@contextmanager
def translated() -> Iterator[None]:
    """Map what Tantivy raises, including its panics, which are no ``Exception``."""
    try:
        yield
    except (SearchError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as failure:
        if "LockBusy" in str(failure):
            raise IndexLocked(f"lexical: another process writes to the index: {failure}") from None
        if is_full(failure):
            raise StorageFull(
                f"lexical: no space left; free some and try again: {failure}"
            ) from None
        raise EngineFailure(f"tantivy: {type(failure).__name__}: {failure}") from failure
