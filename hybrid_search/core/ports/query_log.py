"""The log of searches and clicks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from hybrid_search.core import Click, LoggedSearch


class QueryLog(Protocol):
    """Searches and what of their hits was clicked. Several processes may add to one."""

    def add(self, searches: Sequence[LoggedSearch], clicks: Sequence[Click]) -> None:
        """Keep them; what has an id that is known, and a click that was counted, is passed over."""
        ...

    def searches(self, *, mixed: bool = False) -> Iterator[LoggedSearch]:
        """All that are kept in the order of time, or only those of two rankings, with their clicks.

        A click on what was not shown is none.
        """
        ...

    def count(self) -> int:
        """The number of searches."""
        ...

    def forget(self, before: str | None = None) -> int:
        """Remove what is older than that time, or all; the number of searches removed."""
        ...

    def close(self) -> None:
        """Release the files."""
        ...
