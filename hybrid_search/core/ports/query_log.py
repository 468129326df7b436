"""The query log: searches and clicks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from hybrid_search.core import Click, LoggedSearch


class QueryLog(Protocol):
    """Logged searches and clicks on their hits. Several processes may write to one log."""

    def add(self, searches: Sequence[LoggedSearch], clicks: Sequence[Click]) -> None:
        """Store them; searches with a known id and repeated clicks are skipped."""
        ...

    def searches(self, *, mixed: bool = False) -> Iterator[LoggedSearch]:
        """The searches with their clicks, in order of time; with ``mixed``, interleaved ones only.

        Clicks on assets that were not shown are left out.
        """
        ...

    def count(self) -> int:
        """The number of searches."""
        ...

    def forget(self, before: str | None = None) -> int:
        """Delete everything before that time, or all; returns the number of searches deleted."""
        ...

    def close(self) -> None:
        """Release the files."""
        ...
