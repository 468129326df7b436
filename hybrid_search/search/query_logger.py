"""Logs searches and clicks in the background, and reads interleaving results from the log.

The log does not identify users. Queries with an e-mail address or a long number are not logged.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hybrid_search.core import AssetId, Click, LoggedSearch, Query, SearchResult
from hybrid_search.core.errors import SearchError
from hybrid_search.core.periodic import Periodic
from hybrid_search.core.ports import QueryLog
from hybrid_search.search.interleaving import Verdict, click_winner, verdict

FLUSH_SECONDS = 1.0
"""Seconds between writes."""
MAX_PENDING = 10_000
"""Searches, and clicks, that wait to be written, at most; further ones are dropped."""
_RETENTION_SECONDS = 3600.0
_PERSONAL = re.compile(r"[^\s@]+@[^\s@]+\.\w|(?:\d[ ./()-]{0,2}){7,}")


class QueryLogger:
    """Collects searches and clicks and writes them to the log in a background thread."""

    def __init__(self, log: QueryLog, keep_days: int) -> None:
        """Entries older than ``keep_days`` days are removed."""
        self._log = log
        self._keep = timedelta(days=keep_days)
        self._searches: list[LoggedSearch] = []
        self._clicks: list[Click] = []
        self._guard = threading.Lock()
        self._expired_at = -_RETENTION_SECONDS
        self._writer = Periodic(self.flush, FLUSH_SECONDS).start()

    def searched(self, query: Query, answer: SearchResult) -> None:
        """Log the search if ``logged`` keeps it: the first page of a text query."""
        one = logged(query, answer)
        with self._guard:
            if one is not None and len(self._searches) < MAX_PENDING:
                self._searches.append(one)

    def clicked(self, search_id: str, asset: AssetId) -> None:
        """Log a click on that hit of the search."""
        with self._guard:
            if len(self._clicks) < MAX_PENDING:
                self._clicks.append(Click(search_id, asset, _minute(datetime.now(UTC))))

    def flush(self) -> None:
        """Write pending entries and remove expired ones; entries stay pending if that fails."""
        with self._guard:
            searches, clicks = list(self._searches), list(self._clicks)
        try:
            if searches or clicks:
                self._log.add(searches, clicks)
            if time.monotonic() - self._expired_at > _RETENTION_SECONDS:
                self._log.forget(_minute(datetime.now(UTC) - self._keep))
                self._expired_at = time.monotonic()
        except SearchError:
            return
        with self._guard:
            del self._searches[: len(searches)], self._clicks[: len(clicks)]

    def close(self) -> None:
        """Write pending entries and close the log."""
        self._writer.close()
        self.flush()
        self._log.close()


def logged(query: Query, answer: SearchResult) -> LoggedSearch | None:
    """The search as logged; ``None`` for a further page, a query without text, or personal data."""
    first = query.cursor is None and query.offset == 0
    if answer.search_id is None or not first or not query.text.strip() or personal(query.text):
        return None
    more_than_text = (
        query.examples or query.filter or query.sort or query.min_similarity is not None
    )
    return LoggedSearch(
        id=answer.search_id,
        at=_minute(datetime.now(UTC)),
        text=query.text,
        plain=not more_than_text,
        configuration=answer.configuration,
        challenger=answer.challenger,
        shown=tuple(hit.stored.asset.id for hit in answer.hits),
        teams=tuple(hit.team for hit in answer.hits if hit.team is not None),
    )


def personal(text: str) -> bool:
    """Whether the text may identify a person: it has an e-mail address or seven digits in a row.

    >>> personal("summer sale 2026"), personal("010-1234-5678"), personal("kim@ads.example")
    (False, True, True)
    """
    return _PERSONAL.search(text) is not None


@dataclass(frozen=True, slots=True)
class Interleaved:
    """The result of interleaving two configurations."""

    challenger: str
    configuration: str
    """Both configurations in one line: the configured one, then the challenger."""
    searches: int
    since: str
    """Time of the first search."""
    verdict: Verdict


def interleaved(searches: Iterable[LoggedSearch]) -> list[Interleaved]:
    """A result for each interleaved pair, the latest last; searches are in order of time."""
    pairs: dict[tuple[str, str], list[LoggedSearch]] = {}
    for one in searches:
        if one.teams:
            pairs.setdefault((one.challenger, one.configuration), []).append(one)
    return [
        Interleaved(
            *(challenger, configuration, len(own), own[0].at),
            verdict(click_winner(one.shown, one.teams, one.clicked) for one in own),
        )
        for (challenger, configuration), own in pairs.items()
    ]


def _minute(at: datetime) -> str:
    return at.isoformat(timespec="minutes")
