"""The log of searches and clicks: what is kept, when it is written, and what it says.

Nothing says who searched. A text that looks like a person's, with an address or a long number in
it, is not kept.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hybrid_search.core import Answer, AssetId, Click, LoggedSearch, Query
from hybrid_search.core.errors import SearchError
from hybrid_search.core.periodic import Periodic
from hybrid_search.core.ports import QueryLog
from hybrid_search.search.interleaving import Verdict, verdict, won

FLUSHED_EVERY = 1.0
"""Seconds that what was searched and clicked waits to be written."""
WAITING = 10_000
"""Searches, and clicks, that wait at most; further ones are not kept."""
_FORGOTTEN_EVERY = 3600.0
_PERSONAL = re.compile(r"[^\s@]+@[^\s@]+\.\w|(?:\d[ ./()-]{0,2}){7,}")


class Feedback:
    """Writes what is searched and clicked to a log, aside from whoever searches."""

    def __init__(self, log: QueryLog, keep_days: int) -> None:
        """What is older than so many days is removed."""
        self._log = log
        self._keep = timedelta(days=keep_days)
        self._searches: list[LoggedSearch] = []
        self._clicks: list[Click] = []
        self._guard = threading.Lock()
        self._forgotten = -_FORGOTTEN_EVERY
        self._writing = Periodic(self.flush, FLUSHED_EVERY).start()

    def searched(self, query: Query, answer: Answer) -> None:
        """Keep the search, if it is one that is kept: a first page, for words."""
        one = logged(query, answer)
        with self._guard:
            if one is not None and len(self._searches) < WAITING:
                self._searches.append(one)

    def clicked(self, search_id: str, asset: AssetId) -> None:
        """Keep that this hit of the search was opened."""
        with self._guard:
            if len(self._clicks) < WAITING:
                self._clicks.append(Click(search_id, asset, _minute(datetime.now(UTC))))

    def flush(self) -> None:
        """Write what waits, and remove what is too old. What cannot be written waits on."""
        with self._guard:
            searches, clicks = list(self._searches), list(self._clicks)
        try:
            if searches or clicks:
                self._log.add(searches, clicks)
            if time.monotonic() - self._forgotten > _FORGOTTEN_EVERY:
                self._log.forget(_minute(datetime.now(UTC) - self._keep))
                self._forgotten = time.monotonic()
        except SearchError:
            return
        with self._guard:
            del self._searches[: len(searches)], self._clicks[: len(clicks)]

    def close(self) -> None:
        """Write what waits and release the log."""
        self._writing.close()
        self.flush()
        self._log.close()


def logged(query: Query, answer: Answer) -> LoggedSearch | None:
    """The search as the log keeps it; ``None`` for one that is not kept."""
    first = query.cursor is None and query.offset == 0
    if answer.search_id is None or not first or not query.text.strip() or personal(query.text):
        return None
    further = query.examples or query.filter or query.sort or query.min_similarity is not None
    return LoggedSearch(
        id=answer.search_id,
        at=_minute(datetime.now(UTC)),
        text=query.text,
        plain=not further,
        configuration=answer.configuration,
        challenger=answer.challenger,
        shown=tuple(hit.stored.asset.id for hit in answer.hits),
        teams=tuple(hit.team for hit in answer.hits if hit.team is not None),
    )


def personal(text: str) -> bool:
    """Whether the text may name a person: it has a mail address, or seven digits in a row.

    >>> personal("summer sale 2026"), personal("010-1234-5678"), personal("kim@ads.example")
    (False, True, True)
    """
    return _PERSONAL.search(text) is not None


@dataclass(frozen=True, slots=True)
class Interleaved:
    """What clicks say of two configurations that were mixed."""

    challenger: str
    configuration: str
    """Both in a line: the configured one, and the challenger."""
    searches: int
    since: str
    """The time of the first of them."""
    verdict: Verdict


def interleaved(searches: Iterable[LoggedSearch]) -> list[Interleaved]:
    """A verdict for each pair that was mixed, the latest last; searches in the order of time."""
    pairs: dict[tuple[str, str], list[LoggedSearch]] = {}
    for one in searches:
        if one.teams:
            pairs.setdefault((one.challenger, one.configuration), []).append(one)
    return [
        Interleaved(
            *(challenger, configuration, len(own), own[0].at),
            verdict(won(one.shown, one.teams, one.clicked) for one in own),
        )
        for (challenger, configuration), own in pairs.items()
    ]


def _minute(at: datetime) -> str:
    return at.isoformat(timespec="minutes")
