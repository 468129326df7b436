"""Contract of every query log."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hybrid_search.core import AssetId, Click, LoggedSearch
from hybrid_search.core.ports import QueryLog
from hybrid_search.stores.embedded.catalog.query_log import SqliteQueryLog
from hybrid_search.stores.memory import MemoryQueryLog


@pytest.fixture(params=["sqlite", "memory"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[QueryLog]:
    opened: QueryLog = (
        MemoryQueryLog()
        if request.param == "memory"
        else SqliteQueryLog(tmp_path / "catalog.sqlite")
    )
    with closing(opened):
        yield opened


def search(name: str, at: str = "2026-11-02T10:00+00:00", **facts: object) -> LoggedSearch:
    shown = (AssetId("가방"), AssetId("bag"))
    made = LoggedSearch(name, at, "커피 coffee", True, "rrf k=60 lexical=1", "", shown)
    return replace(made, **facts)  # type: ignore[arg-type]  # by name


def click(name: str, asset: str, at: str = "2026-11-02T10:01+00:00") -> Click:
    return Click(name, AssetId(asset), at)


def test_searches_are_returned_with_clicks_in_time_order(log: QueryLog) -> None:
    late, early = search("s2", "2026-11-03T00:00+00:00"), search("s1")
    log.add([late], [click("s2", "bag")])
    log.add([early], [])
    log.add([], [click("s2", "bag"), click("s2", "가방"), click("s1", "never shown")])
    assert list(log.searches()) == [
        early,
        replace(late, clicked=frozenset({AssetId("bag"), AssetId("가방")})),
    ]
    assert log.count() == 2


def test_search_is_stored_once(log: QueryLog) -> None:
    log.add([search("s1")], [])
    log.add([search("s1", text="another"), search("s2")], [])
    assert [one.text for one in log.searches()] == ["커피 coffee", "커피 coffee"]


def test_interleaved_search_is_stored_with_teams(log: QueryLog) -> None:
    mixed = search("s1", challenger="DBSF", teams=("b", "a"), plain=False)
    log.add([mixed, search("s2")], [])
    assert list(log.searches(mixed=True)) == [mixed]


def test_a_click_may_come_before_its_search(log: QueryLog) -> None:
    log.add([], [click("s1", "bag")])
    assert list(log.searches()) == []
    log.add([search("s1")], [])
    assert next(iter(log.searches())).clicked == {"bag"}


def test_old_searches_are_removed_with_their_clicks(log: QueryLog) -> None:
    old, new = search("s1", "2026-08-01T00:00+00:00"), search("s2")
    log.add(
        [old, new], [click("s1", "bag"), click("s2", "bag"), click("gone", "bag", "2026-07-01")]
    )
    assert log.forget("2026-10-01T00:00+00:00") == 1
    assert [one.id for one in log.searches()] == ["s2"]
    # A new search with the old id has no earlier clicks.
    log.add([old], [])
    assert [sorted(one.clicked) for one in log.searches()] == [[], ["bag"]]
    assert log.forget() == 2
    assert log.count() == 0
    log.add([new], [])
    assert next(iter(log.searches())).clicked == frozenset()
