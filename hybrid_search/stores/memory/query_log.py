"""Query log in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from hybrid_search.core import Click, LoggedSearch


class MemoryQueryLog:
    """A ``QueryLog`` that lasts as long as the process."""

    def __init__(self) -> None:
        self._searches: dict[str, LoggedSearch] = {}
        self._clicks: dict[tuple[str, str], Click] = {}

    def add(self, searches: Sequence[LoggedSearch], clicks: Sequence[Click]) -> None:
        """Add searches and clicks; known ones are ignored."""
        for search in searches:
            self._searches.setdefault(search.id, search)
        for click in clicks:
            self._clicks.setdefault((click.search_id, click.asset), click)

    def searches(self, *, mixed: bool = False) -> Iterator[LoggedSearch]:
        """All searches in order of time, or only interleaved ones, with their clicks."""
        for one in sorted(self._searches.values(), key=lambda one: one.at):
            if one.challenger or not mixed:
                clicked = (hit for hit in one.shown if (one.id, hit) in self._clicks)
                yield replace(one, clicked=frozenset(clicked))

    def count(self) -> int:
        """The number of searches."""
        return len(self._searches)

    def forget(self, before: str | None = None) -> int:
        """Remove searches and clicks before that time, or all; the number of removed searches."""
        old = [one.id for one in self._searches.values() if before is None or one.at < before]
        for name in old:
            del self._searches[name]
        for key, click in list(self._clicks.items()):
            if before is None or click.at < before or key[0] in old:
                del self._clicks[key]
        return len(old)

    def close(self) -> None:
        """Nothing to release."""
