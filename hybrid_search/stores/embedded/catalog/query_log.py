"""The query log, in tables of the catalog's file.

Every process of a service writes over a connection of its own. SQLite serializes these writes and
those of assets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from hybrid_search.core import Click, LoggedSearch
from hybrid_search.stores.embedded.catalog.connections import Connections

_ALL = """
SELECT id, searches.at, text, plain, configuration, challenger, shown, teams,
  json_group_array(asset) FILTER (WHERE asset IS NOT NULL)
FROM searches LEFT JOIN clicks ON search = id {} GROUP BY id ORDER BY searches.at, searches.rowid
"""
_FORGET = """
DELETE FROM clicks WHERE at < ? OR search IN (SELECT id FROM searches WHERE at < ?)
"""


class SqliteQueryLog:
    """A ``QueryLog`` in the catalog's file."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open the file; raises what opening the catalog raises."""
        self._over = Connections(path, read_only=read_only)

    def add(self, searches: Sequence[LoggedSearch], clicks: Sequence[Click]) -> None:
        rows = [
            (
                *(one.id, one.at, one.text, one.plain, one.configuration, one.challenger),
                *(orjson.dumps(one.shown).decode(), "".join(one.teams)),
            )
            for one in searches
        ]
        clicked = [(one.search_id, one.asset, one.at) for one in clicks]
        with self._over.transaction() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO searches VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows
            )
            connection.executemany("INSERT OR IGNORE INTO clicks VALUES (?, ?, ?)", clicked)

    def searches(self, *, mixed: bool = False) -> Iterator[LoggedSearch]:
        sql = _ALL.format("WHERE challenger <> ''" if mixed else "")
        with self._over.reading() as connection:
            rows = connection.execute(sql).fetchall()
        for name, at, text, plain, configuration, challenger, shown, teams, clicked in rows:
            hits = tuple(orjson.loads(shown))
            own = frozenset(orjson.loads(clicked)) & set(hits)
            yield LoggedSearch(
                *(name, at, text, bool(plain), configuration, challenger),
                *(hits, tuple(teams), own),
            )

    def count(self) -> int:
        return self._over.single("SELECT count(*) FROM searches")

    def forget(self, before: str | None = None) -> int:
        with self._over.transaction() as connection:
            if before is None:
                connection.execute("DELETE FROM clicks")
                return connection.execute("DELETE FROM searches").rowcount
            connection.execute(_FORGET, (before, before))
            return connection.execute("DELETE FROM searches WHERE at < ?", (before,)).rowcount

    def close(self) -> None:
        """Release the files."""
        self._over.close()
