"""The query log, and comparisons by the clicks of simulated users."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from hybrid_search.analysis.normalize import normalise
from hybrid_search.api.schemas.interleaving import interleaved_to_json
from hybrid_search.cli.main import app
from hybrid_search.core import Click, FusedHit, LoggedSearch, Query, Sort
from hybrid_search.core.errors import EngineFailure
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.engine.judgments import Judgments
from hybrid_search.engine.parts import open_query_log
from hybrid_search.relevance.evaluation import TestQuery as Judged
from hybrid_search.relevance.evaluation import read_judgments, read_queries
from hybrid_search.search.fusion import Order
from hybrid_search.search.interleaving import (
    anytime_test,
    click_winner,
    interleaved_order,
    team_draft,
)
from hybrid_search.search.query_logger import QueryLogger, interleaved, logged, personal
from hybrid_search.settings.settings import load_settings
from hybrid_search.stores.memory import MemoryQueryLog
from tests.relevance.test_users import CLICKED, LOOKED_AT

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
WORSE = """
[feedback]
log = true
[feedback.challenger]
name = "pictures first"
method = "rrf"
weights = { lexical = 0, phrase = 0, copy_semantic = 0 }
[fusion.lexical]
no_match_below = 1
[fusion.text_to_image]
no_match_below = 1
[fusion.copy_semantic]
no_match_below = 1
"""
"""A worse challenger. Next to nothing matches: matches rank first whatever the fusion."""


@pytest.fixture(scope="module")
def data(demonstration: tuple[Path, dict[str, Any]], tmp_path_factory: Any) -> Path:
    copy: Path = tmp_path_factory.mktemp("feedback") / "data"
    shutil.copytree(demonstration[0], copy)
    (copy / "hybrid_search.toml").write_text(WORSE, "utf-8")
    return copy


@pytest.fixture(scope="module")
def engine(data: Path) -> Iterator[Index]:
    with open_engine(load_settings(data)) as opened:
        yield opened


def found(engine: Index, query: Query) -> list[str]:
    return [hit.stored.asset.id for hit in engine.searcher.search(query).hits]


# ----------------------------------------------------------------------------- what is kept


def test_search_is_logged_as_shown(engine: Index) -> None:
    query = Query("신발 sale", search_id="0" * 8, size=6)
    answer = engine.searcher.search(query)
    kept = logged(query, answer)
    assert kept is not None
    assert kept.text == "신발 sale"
    assert kept.shown == tuple(hit.stored.asset.id for hit in answer.hits)
    assert len(kept.teams) == 6
    assert kept.challenger == "pictures first"
    assert " | rrf k=30 phrase=0 lexical=0" in kept.configuration
    # Times are rounded to the minute, for privacy.
    assert len(kept.at) == len("2026-11-02T10:00+00:00")


@pytest.mark.parametrize(
    "query",
    [
        Query("shoes"),
        Query("", search_id="12345678"),
        Query("shoes", search_id="12345678", offset=10),
        Query("kim@ads.example", search_id="12345678"),
        Query("전화 010-1234-5678", search_id="12345678"),
    ],
    ids=["unnamed", "wordless", "further", "mail", "telephone"],
)
def test_data_that_is_not_logged(engine: Index, query: Query) -> None:
    assert logged(query, engine.searcher.search(query)) is None


@given(st.text("0123456789", min_size=7, max_size=20))
def test_queries_with_long_numbers_are_not_logged(digits: str) -> None:
    assert personal(f"call {digits} now")
    assert not personal(f"{digits[:4]}년 세일, {digits[4:6]}% off")


def test_filter_and_sort_are_flagged(engine: Index) -> None:
    query = Query("shoes", search_id="12345678", sort=Sort("title"))
    kept = logged(query, engine.searcher.search(query))
    assert kept is not None
    assert not kept.plain
    assert kept.teams == ()


def search(name: str) -> LoggedSearch:
    return LoggedSearch(name, "2026-11-02T10:00+00:00", "q", True, "rrf", "", ())


class FullDisk(MemoryQueryLog):
    full = True

    def add(self, searches: Any, clicks: Any) -> None:
        if self.full:
            raise EngineFailure("catalog: no space left")
        super().add(searches, clicks)


def test_failed_writes_are_retried(engine: Index) -> None:
    log = FullDisk()
    query = Query("shoes", search_id="s" * 8)
    with closing(QueryLogger(log, keep_days=90)) as feedback:
        feedback.searched(query, engine.searcher.search(query))
        feedback.clicked("s" * 8, "nowhere")  # type: ignore[arg-type]
        feedback.flush()
        assert log.count() == 0
        log.full = False
    assert [one.id for one in log.searches()] == ["s" * 8]


def test_old_searches_are_removed() -> None:
    log = MemoryQueryLog()
    log.add([replace(search("old"), at="2020-01-01T00:00+00:00")], [])
    with closing(QueryLogger(log, keep_days=90)) as feedback:
        feedback.flush()
        assert log.count() == 0


# ---------------------------------------------------------------------------- two rankings


def test_interleaved_ranking_is_paged_consistently(engine: Index) -> None:
    named = Query("할인 sale", search_id="abcdefgh", size=40)
    whole = engine.searcher.search(named)
    first = engine.searcher.search(replace(named, size=10))
    rest = [hit.stored.arrival for hit in first.hits]
    cursor = first.cursor
    while cursor and len(rest) < 40:
        # The cursor contains the id, for clients that page without it.
        page = engine.searcher.search(Query("할인 sale", size=10, cursor=cursor))
        rest += [hit.stored.arrival for hit in page.hits]
        cursor = page.cursor
    assert rest == [hit.stored.arrival for hit in whole.hits]
    assert len(set(rest)) == len(rest)


def test_same_search_id_gives_the_same_interleaving(engine: Index) -> None:
    one = Query("summer", search_id="abcdefgh")
    assert found(engine, one) == found(engine, one)
    others = {tuple(found(engine, replace(one, search_id=f"abcdefg{n}"))) for n in range(8)}
    assert len(others) > 1


@pytest.mark.parametrize(
    "change", [{"explain": True}, {"sort": Sort("title")}, {"search_id": None}]
)
def test_only_plain_searches_are_interleaved(engine: Index, change: dict[str, Any]) -> None:
    query = replace(Query("summer", search_id="abcdefgh"), **change)
    answer = engine.searcher.search(query)
    assert answer.challenger == ""
    assert {hit.team for hit in answer.hits} == {None}


def test_phrase_matches_rank_first_when_interleaved(engine: Index) -> None:
    for number in range(6):
        query = Query('"half price" swimsuit', search_id=f"abcdefg{number}", size=30)
        held = [hit.phrases for hit in engine.searcher.search(query).hits]
        assert held == sorted(held, reverse=True)
        assert held[0] == 1


@given(st.permutations(range(12)), st.permutations(range(12)), st.text(min_size=8, max_size=8))
def test_interleaving_contains_every_hit_once(a: list[int], b: list[int], name: str) -> None:
    one, other = order_of(a, 1.0), order_of(b, 2.0)
    mixed = hits_of(interleaved_order(one, other, name))
    assert sorted(hit.arrival for hit in mixed) == list(range(12))
    assert mixed == hits_of(interleaved_order(one, other, name))
    assert {a[0], b[0]} <= {mixed[0].arrival, mixed[1].arrival}
    for hit in mixed:
        own = one if hit.team == "a" else other
        assert hit.score == next(h.score for h in hits_of(own) if h.arrival == hit.arrival)


def order_of(ordinals: list[int], best: float) -> Order:
    rows, count = np.array(ordinals, np.int64), len(ordinals)
    scores = best / np.arange(1, count + 1)
    phrases, matched = np.zeros(count, np.int64), np.ones(count, np.bool_)
    return Order(rows, rows, scores, phrases, np.ones(count), matched)


def hits_of(order: Order) -> list[FusedHit]:
    return [order.hit(place) for place in range(len(order))]


# --------------------------------------------------------------------------- what they say


def judged() -> list[tuple[Judged, dict[str, int]]]:
    settings = load_settings().fusion.settings()
    grades = read_judgments(FIXTURES / "qrels.txt")
    tests = read_queries(FIXTURES / "queries.jsonl", settings)
    return [(t, grades[t.qid]) for t in tests if t.query.text and grades.get(t.qid)]


def used(engine: Index, log: Any, searches: int, seed: int) -> None:
    """Simulate users who run judged queries, read from the top, and click relevant hits."""
    chance, tests = np.random.default_rng(seed), judged()[::12]
    with closing(QueryLogger(log, keep_days=90)) as feedback:
        for number in range(searches):
            test, grades = tests[chance.integers(len(tests))]
            query = Query(test.query.text, search_id=f"{seed:04d}{number:04d}")
            answer = engine.searcher.search(query)
            feedback.searched(query, answer)
            for hit, looked in zip(answer.hits, LOOKED_AT, strict=False):
                asset = hit.stored.asset.id
                if chance.random() < looked * CLICKED[min(3, grades.get(asset, 0))]:
                    feedback.clicked(f"{seed:04d}{number:04d}", asset)


def test_better_configuration_is_found_by_clicks(engine: Index, data: Path, tmp_path: Path) -> None:
    used(engine, open_query_log(engine.settings, write=True), 300, seed=1)
    with closing(open_query_log(engine.settings, write=False)) as log:
        assert log.count() == 300
        [told] = interleaved(log.searches(mixed=True))
    assert told.verdict.winner == "a"
    command = ["lab", "interleaving", "--data-dir", str(data)]
    shown = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)["interleaving"]
    assert shown == [interleaved_to_json(told)]
    assert shown[0]["winner"] == "configured"
    assert "the configured ranking is better" in CliRunner().invoke(app, command).stdout

    clicks = ["lab", "clicks", str(tmp_path), "--least", "5", "--keep", "--data-dir", str(data)]
    made = json.loads(CliRunner().invoke(app, [*clicks, "--json"]).stdout)
    assert made["searches"] == 300
    kept = Judgments(data).current()
    assert {one.judge for one in kept} == {"clicks"}
    assert len(kept) == made["judgments"] > 50
    truth = {normalise(t.query.text).text: grades for t, grades in judged()}
    real = [truth.get(one.query, {}).get(one.asset, 0) for one in kept]
    assert np.corrcoef(real, [one.grade for one in kept])[0, 1] > 0.5
    assert "looked at" in CliRunner().invoke(app, clicks).stdout

    gone = CliRunner().invoke(app, ["lab", "forget", "--data-dir", str(data), "--json"])
    assert json.loads(gone.stdout) == {"removed": 300}
    assert "no interleaved searches" in CliRunner().invoke(app, command).stdout
    refused = CliRunner().invoke(app, clicks)
    assert "the log has no text search" in str(refused.exception)


def test_configuration_does_not_beat_itself(data: Path) -> None:
    settings = load_settings(data)
    same = settings.feedback.challenger.model_copy(update={"method": None, "weights": {}})
    feedback = settings.feedback.model_copy(update={"challenger": same})
    log = MemoryQueryLog()
    with open_engine(settings.model_copy(update={"feedback": feedback})) as engine:
        used(engine, log, 300, seed=2)
    [told] = interleaved(log.searches(mixed=True))
    assert told.verdict.winner is None
    assert told.searches == 300


def test_repeated_looks_rarely_give_false_winners() -> None:
    chance, runs = np.random.default_rng(5), 200
    wrong = sum(
        anytime_test(["a" if chance.random() < 0.5 else "b" for _ in range(400)]) < 0.05
        for _ in range(runs)
    )
    # At most one in twenty, although each was checked 400 times.
    assert wrong <= 10


def test_click_on_an_old_search_is_ignored() -> None:
    mixed = team_draft(["x", "y"], ["y", "x"], 2, np.random.default_rng(1))
    assert click_winner(mixed.hits, mixed.teams, {"z"}) is None
    log = MemoryQueryLog()
    log.add([], [Click("s", "x", "2026")])  # type: ignore[arg-type]
    assert interleaved(log.searches()) == []
