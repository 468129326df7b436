"""Errors as one line on standard error and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def errors_as_exit_codes() -> Iterator[None]:
    """Exit with 1 for an unknown asset, 2 for wrong input, 3 for an unusable index, else 4."""
    try:
        yield
    except Exception as failure:
        # Imported here because --help needs neither.
        from hybrid_search.cli.terminal import errors
        from hybrid_search.core.errors import SearchError

        if not isinstance(failure, SearchError):
            raise
        errors.print(f"error: {failure}", style="red", markup=False)
        sys.exit(_exit_code(failure))


def _exit_code(failure: Exception) -> int:
    from hybrid_search.core.errors import (
        IndexUnusable,
        InvalidInput,
        UnknownAsset,
    )

    for branch, code in ((InvalidInput, 2), (UnknownAsset, 1), (IndexUnusable, 3)):
        if isinstance(failure, branch):
            return code
    return 4
