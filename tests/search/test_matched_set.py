"""The matched set: counts, facets, pages and filters agree with one another."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hybrid_search.core import (
    AnyOf,
    AssetId,
    Example,
    Exists,
    FusionSettings,
    Not,
    Query,
    SearchResult,
    Sort,
)
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.filters import AllOf, Filter
from hybrid_search.core.queries import restrict
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.search.query_fields import make_query
from hybrid_search.settings.settings import load_settings

QUERIES = (
    Query("puppy"),
    Query("강아지 여름간식"),
    Query("커피"),
    Query("summer sale"),
    Query("sale -coffee"),
    Query("여름 할인", filter=Exists("campaign")),
    Query('"half price"'),
    Query('"half price" "swimsuit"'),
    Query(""),
    Query("", filter=AnyOf("language", ("ko",))),
    Query("", examples=(Example(id=AssetId("copperfinch-mug-square")),)),
    Query("coffee", examples=(Example(id=AssetId("copperfinch-mug-square")),)),
)
FIELD = "brand"
"""A field with one value at most."""


@pytest.fixture(scope="module")
def engine(demonstration: tuple[Path, dict[str, Any]]) -> Iterator[Index]:
    with open_engine(load_settings(demonstration[0])) as opened:
        yield opened


def narrow(engine: Index, window: int) -> FusionSettings:
    """The configured fusion with all windows so small that matches lie beyond them."""
    usual = engine.settings.fusion.settings()
    lists = {name: replace(one, window=window) for name, one in usual.lists.items()}
    return replace(usual, lists=lists)


def pages(engine: Index, query: Query) -> Iterator[SearchResult]:
    while True:
        found = engine.search(query)
        yield found
        if found.cursor is None:
            return
        query = replace(query, cursor=found.cursor)


def ids(engine: Index, query: Query) -> list[str]:
    return [hit.id for page in pages(engine, query) for hit in page.hits]


@pytest.mark.parametrize("window", [3, 100])
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: repr(query.text))
def test_counts_facets_filters_and_pages_agree(engine: Index, query: Query, window: int) -> None:
    asked = replace(query, fusion=narrow(engine, window), scope="matched", size=7)
    found = engine.search(replace(asked, facets=(FIELD,)))
    total = found.totals.matched
    values, rest = found.facets[FIELD], found.facet_totals[FIELD]
    assert total == sum(one.assets for one in values) + rest.other + rest.missing
    reached = ids(engine, asked)
    assert len(reached) == len(set(reached)) == total
    split = [AnyOf(FIELD, (one.value,)) for one in values]
    parts: list[Filter] = [*split, Not(Exists(FIELD))]
    both = [one if query.filter is None else AllOf((one, query.filter)) for one in parts]
    counts = [engine.search(replace(asked, filter=one)).totals.matched for one in both]
    assert counts == [*(one.assets for one in values), rest.missing]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: repr(query.text))
def test_the_window_does_not_change_what_matches(engine: Index, query: Query) -> None:
    members = [
        sorted(ids(engine, replace(query, fusion=narrow(engine, window), scope="matched", size=50)))
        for window in (3, 30, 100)
    ]
    assert members[0] == members[1] == members[2]


def test_matched_hits_come_before_related_ones_and_pages_do_not_repeat(engine: Index) -> None:
    query = Query("커피", fusion=narrow(engine, 4), size=3)
    shown = [hit for page in pages(engine, query) for hit in page.hits]
    flags = [hit.matched for hit in shown]
    assert flags == sorted(flags, reverse=True)
    assert sum(flags) == engine.search(query).totals.matched > 4
    assert len({hit.id for hit in shown}) == len(shown)
    assert [hit.rank for hit in shown] == list(range(1, len(shown) + 1))


def test_the_fusion_method_does_not_change_what_matches(engine: Index) -> None:
    query = Query("summer sale", scope="matched", size=100)
    plain = replace(engine.settings.fusion.settings(), method="rrf")
    assert sorted(ids(engine, query)) == sorted(ids(engine, replace(query, fusion=plain)))


def test_mode_and_least_similarity_change_what_matches(engine: Index) -> None:
    usual = engine.settings.fusion.settings()
    totals = [
        engine.search(Query("puppy", fusion=restrict(usual, mode))).totals.matched
        for mode in ("text", "vector", "hybrid")
    ]
    assert max(totals[:2]) <= totals[2] <= sum(totals[:2])
    like = (Example(id=AssetId("copperfinch-mug-square")),)
    some = engine.search(Query(examples=like)).totals.matched
    assert engine.search(Query(examples=like, min_similarity=0.999)).totals.matched < some


def test_a_sorted_search_shows_every_match_and_nothing_else(engine: Index) -> None:
    query = Query("커피", size=100, fusion=narrow(engine, 3))
    matched = ids(engine, replace(query, scope="matched"))
    by_title = engine.search(replace(query, sort=Sort("title")))
    assert sorted(hit.id for hit in by_title.hits) == sorted(matched)
    assert all(hit.matched for hit in by_title.hits)
    assert by_title.totals.related == 0
    with pytest.raises(InvalidQuery, match="scope = 'all': a sorted search"):
        make_query("커피", {"sort": "title", "scope": "all"})


def test_only_holders_of_all_phrases_match(engine: Index) -> None:
    both = engine.search(Query('"half price" "swimsuit"', size=50))
    assert all(hit.matched == (hit.phrases == 2) for hit in both.hits)
    none = engine.search(Query('"zebra crossing sale" coffee'))
    assert none.totals.matched == 0
    assert not any(hit.matched for hit in none.hits)
    assert [note.code for note in none.notes] == ["no_exact_phrase", "no_good_match"]
    assert not none.good_match


def test_operators_bind_the_exact_phrases(engine: Index) -> None:
    held = engine.search(Query('"half price"', size=50, scope="matched"))
    without = engine.search(Query('"half price" -swimsuit', size=50, scope="matched"))
    swimsuits = {hit.id for hit in held.hits if "swimsuit" in str(hit.asset).lower()}
    assert swimsuits
    assert {hit.id for hit in without.hits} == {hit.id for hit in held.hits} - swimsuits
    required = engine.search(Query('"half price" +swimsuit', size=50, scope="matched"))
    assert {hit.id for hit in required.hits} == swimsuits


def test_too_few_vectors_match_nothing(tmp_path: Path) -> None:
    rows = [
        {"id": f"a{number}", "title": title} for number, title in enumerate(["봄 신발", "커피"])
    ]
    settings = load_settings(tmp_path / "data")
    with open_engine(settings, write=True) as few:
        few.add(rows)
        found = few.search("coffee shoes")
        assert found.totals.matched == 0
        assert found.totals.related > 0
        assert found.good_match
        assert [note.code for note in found.notes] == ["not_calibrated"]
        assert few.search("커피").totals.matched == 1
