"""What every store promises to the pipelines: plans, views, writes. Run over all stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from hybrid_search.analysis.query_parser import parse_query
from hybrid_search.analysis.rules import RulesAnalyzer
from hybrid_search.core import (
    AnyOf,
    Asset,
    AssetId,
    Digest,
    Facet,
    FacetTotals,
    Filter,
    ListName,
    PictureFacts,
)
from hybrid_search.core.arrays import Vectors
from hybrid_search.core.candidate_lists import LISTS
from hybrid_search.core.candidates import CandidateList, Retrieved
from hybrid_search.core.field_schema import UNDECLARED
from hybrid_search.core.ports import Draft, ListPlan, Plan, Store, View
from hybrid_search.core.query_tree import SHARE_UNITS, Term
from hybrid_search.search.query_tree import QueryCompiler
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.lexical.index import TantivyIndex
from hybrid_search.stores.embedded.vector.index import FaissIndex
from hybrid_search.stores.local.list_retriever import VectorSource
from hybrid_search.stores.local.log_replay import LexicalReplay, VectorReplay
from hybrid_search.stores.local.store import Indexes, LocalStore
from hybrid_search.stores.memory import memory_store

RULES = RulesAnalyzer()
COMPILER = QueryCompiler(RULES)
MODEL = "test/4"
"""The key of the picture vectors; its end is their dimension."""


@contextmanager
def embedded(folder: Path) -> Iterator[Store]:
    with (
        closing(SqliteCatalog(folder / "catalog.sqlite")) as catalog,
        closing(TantivyIndex(folder / "lexical", RULES)) as lexical,
    ):
        vectors = FaissIndex(4, folder / "vectors")
        yield LocalStore(
            Indexes(
                catalog=catalog,
                lexical=lexical,
                sources=lambda: sources(vectors),
                fields=UNDECLARED,
                unavailable={},
                vector_replays=[VectorReplay(catalog, vectors, MODEL)],
                lexical_replay=LexicalReplay(catalog, lexical),
            )
        )


def sources(vectors: FaissIndex) -> dict[ListName, VectorSource]:
    source = VectorSource(vectors.snapshot())
    return {"text_to_image": source, "image_to_image": source}


@contextmanager
def memory(_: Path) -> Iterator[Store]:
    yield memory_store(RULES, {"picture": MODEL})


STORES: dict[str, Callable[[Path], object]] = {"embedded": embedded, "memory": memory}


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[Store]:
    with (embedded if kind == "embedded" else memory)(folder) as store:
        yield store


@pytest.fixture(params=sorted(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as made:
        yield made


def unit(*values: float) -> Vectors:
    row = np.array(values, np.float32)
    return np.asarray(row / np.linalg.norm(row), np.float32)


def draft(name: str, title: str = "", vector: Vectors | None = None, **fields: object) -> Draft:
    asset = Asset(AssetId(name), title=title, **fields)  # type: ignore[arg-type]
    picture = None if vector is None else PictureFacts(digest(name), "PNG", 4, 3, 9, "#ffffff")
    return Draft(asset, picture, digest(f"{name} {title} {sorted(fields.items())}"))


def digest(text: str) -> Digest:
    return Digest(sha256(text.encode()).hexdigest())


VECTORS = {"red": unit(1, 0, 0, 0), "pink": unit(4, 1, 0, 0), "blue": unit(0, 0, 1, 0)}
DRAFTS = [
    draft("phrase", "여름 신발 특가", brand="하늘", attributes={"price": 9900}),
    draft("apart", "여름 특가 신발", brand="하늘", attributes={"price": 19900}),
    draft("english", "Summer shoes sale", brand="Sky", tags=("shoes",)),
    draft("red", "Red circle", VECTORS["red"]),
    draft("pink", "", VECTORS["pink"]),
    draft("blue", "여름", VECTORS["blue"], brand="Sky"),
]


def fill(store: Store) -> View:
    store.embeddings.store_embeddings(MODEL, {digest(n): v for n, v in VECTORS.items()})
    store.put(DRAFTS)
    return store.view()


def plan_of(
    view: View,
    text: str,
    *lists: ListPlan,
    where: Filter | None = None,
    without: Sequence[str] = (),
) -> Plan:
    parsed = parse_query(text)
    return Plan(
        lists or (ListPlan("lexical", 10),),
        COMPILER.words(parsed, view),
        COMPILER.phrases(parsed),
        COMPILER.binding(parsed, where, view),
        frozenset(map(AssetId, without)),
    )


def names_in(view: View, found: Retrieved, part: CandidateList) -> list[str]:
    """The ids of a list's candidates, best first."""
    arrivals = found.arrivals[part.rows].tolist()
    stored = view.fetch(arrivals)
    return [str(stored[arrival].asset.id) for arrival in arrivals]


def best(view: View, plan: Plan) -> list[str]:
    found = view.retrieve(plan)
    return names_in(view, found, found.lists[0])


NEAR_RED = ListPlan("text_to_image", 10, unit(1, 0, 0, 0))


def test_an_empty_store_finds_nothing(store: Store) -> None:
    view = store.view()
    assert (view.version, view.statistics().assets) == (0, 0)
    found = view.retrieve(plan_of(view, "여름", ListPlan("lexical", 5), NEAR_RED))
    assert len(found.arrivals) == 0
    assert [part.total for part in found.lists] == [0, None]
    assert view.find(AssetId("red")) is None


def test_a_write_is_seen_by_the_next_view_and_no_earlier_one(store: Store) -> None:
    fill(store)
    before = store.view()
    store.embeddings.store_embeddings(MODEL, {digest("rose"): unit(1, 0, 0, 0)})
    ordinals = store.put([draft("rose", "여름 장미", unit(1, 0, 0, 0))])
    after = store.view()
    assert after.version > before.version
    for plan, view, seen in ((plan_of(before, "장미"), before, []), (None, after, ["rose"])):
        assert best(view, plan or plan_of(view, "장미")) == seen
    assert "rose" not in best(before, plan_of(before, "", NEAR_RED))
    assert set(best(after, plan_of(after, "", NEAR_RED))[:2]) == {"red", "rose"}
    stored = after.find(AssetId("rose"))
    assert stored is not None
    assert stored.arrival == ordinals[0]


def test_a_replaced_and_a_deleted_asset_are_found_no_more(store: Store) -> None:
    view = fill(store)
    old = view.find(AssetId("phrase"))
    assert old is not None
    store.put([draft("phrase", "겨울 코트")])
    assert store.delete([AssetId("apart"), AssetId("unknown")]) == ["apart"]
    now = store.view()
    assert best(now, plan_of(now, "특가")) == []
    assert best(now, plan_of(now, "코트")) == ["phrase"]
    # Whoever still holds the earlier view is not shown what is deleted.
    assert best(view, plan_of(view, "특가")) == []
    assert view.fetch([old.arrival]) == {}


def test_the_same_content_is_known(store: Store) -> None:
    fill(store)
    known = store.contents([AssetId("red"), AssetId("unknown")])
    assert known == {"red": next(d.content for d in DRAFTS if d.asset.id == "red")}


def test_names_come_first_then_shares(store: Store) -> None:
    view = fill(store)
    found = view.retrieve(plan_of(view, "여름"))
    (part,) = found.lists
    assert names_in(view, found, part)[0] == "blue"
    assert part.named is not None
    assert part.named.tolist() == [True, False, False]
    both = view.retrieve(plan_of(view, "여름 신발"))
    shares = both.lists[0].shares
    assert shares is not None
    assert names_in(view, both, both.lists[0]) == ["phrase", "apart", "blue"]
    assert shares[0] == shares[1] == 1.0 > shares[2] > 0.0
    assert both.information > found.information > 0.0


def test_every_candidate_says_how_many_phrases_it_holds(store: Store) -> None:
    view = fill(store)
    lists = (ListPlan("phrase", 10), ListPlan("lexical", 10), NEAR_RED)
    found = view.retrieve(plan_of(view, '"여름 신발" 특가', *lists))
    assert names_in(view, found, found.lists[0]) == ["phrase"]
    held = dict(zip(found.arrivals.tolist(), found.phrases.tolist(), strict=True))
    stored = view.fetch(list(held))
    assert {str(stored[a].asset.id) for a, count in held.items() if count} == {"phrase"}
    assert (found.lists[0].total, found.lists[0].exhausted) == (1, True)


@pytest.mark.parametrize(
    ("text", "where", "expected"),
    [
        ("여름", AnyOf("brand", ("하늘",)), {"phrase", "apart"}),
        ("여름 -특가", None, {"blue"}),
        ("+신발 여름", None, {"phrase", "apart"}),
        ("brand:sky 여름", None, {"blue"}),
        ("신*", None, {"phrase", "apart"}),
        ('+"여름 신발"~1', None, {"phrase", "apart"}),
    ],
)
def test_filters_and_operators_bind_every_list(
    store: Store, text: str, where: Filter | None, expected: set[str]
) -> None:
    view = fill(store)
    lists = (ListPlan("lexical", 10), NEAR_RED)
    found = view.retrieve(plan_of(view, text, *lists, where=where))
    words, near = (set(names_in(view, found, part)) for part in found.lists)
    assert words == expected
    assert near <= {"red", "pink", "blue"}


def test_nearest_vectors_stand_in_order_and_above_the_floor(store: Store) -> None:
    view = fill(store)
    found = view.retrieve(plan_of(view, "", NEAR_RED))
    (part,) = found.lists
    assert names_in(view, found, part) == ["red", "pink", "blue"]
    assert part.scores.tolist() == pytest.approx([1.0, 4 / 17**0.5, 0.0], abs=1e-6)
    assert part.total is None
    floored = ListPlan("text_to_image", 10, unit(1, 0, 0, 0), floor=0.5)
    assert best(view, plan_of(view, "", floored)) == ["red", "pink"]
    narrow = ListPlan("text_to_image", 1, unit(1, 0, 0, 0))
    assert best(view, plan_of(view, "", narrow)) == ["red"]
    assert best(view, plan_of(view, "", narrow, without=["red"])) == ["pink"]


def test_without_words_the_newest_come_first(store: Store) -> None:
    view = fill(store)
    newest = [str(d.asset.id) for d in reversed(DRAFTS)]
    assert best(view, plan_of(view, "", ListPlan("lexical", 10))) == newest
    assert best(view, plan_of(view, "", ListPlan("lexical", 2))) == newest[:2]
    sky = AnyOf("brand", ("Sky",))
    assert best(view, plan_of(view, "", ListPlan("lexical", 9), where=sky)) == ["blue", "english"]


def test_a_candidate_says_whether_it_has_a_picture(store: Store) -> None:
    view = fill(store)
    found = view.retrieve(plan_of(view, "여름", ListPlan("lexical", 10), NEAR_RED))
    stored = view.fetch(found.arrivals.tolist())
    for arrival, has in zip(found.arrivals.tolist(), found.has_picture.tolist(), strict=True):
        assert has == (stored[arrival].picture is not None)


def test_given_assets_have_the_scores_that_a_list_gives(store: Store) -> None:
    view = fill(store)
    lists = (ListPlan("phrase", 10), ListPlan("lexical", 10), NEAR_RED)
    plan = plan_of(view, '"여름 신발" 특가', *lists)
    found = view.retrieve(plan)
    arrivals = [view_ordinal(view, str(d.asset.id)) for d in DRAFTS]
    scores = view.score(plan, arrivals)
    assert scores.admitted.all()
    for part in found.lists:
        listed = dict(zip(found.arrivals[part.rows].tolist(), part.scores.tolist(), strict=True))
        for arrival, score in zip(arrivals, scores.lists[part.name].tolist(), strict=True):
            expected = listed.get(arrival, float("nan"))
            assert score == pytest.approx(expected, rel=1e-5, nan_ok=True)
    bound = plan_of(view, "여름 -특가")
    admitted = dict(zip(arrivals, view.score(bound, arrivals).admitted, strict=True))
    assert not admitted[view_ordinal(view, "phrase")]
    assert admitted[view_ordinal(view, "red")]


def view_ordinal(view: View, name: str) -> int:
    stored = view.find(AssetId(name))
    assert stored is not None
    return stored.arrival


HOLDING_ALL = ListPlan("lexical", 10, cut=1.0)
HOLDING_ANY = ListPlan("lexical", 10, cut=0.0)


@pytest.mark.parametrize(
    ("text", "part", "also", "expected"),
    [
        ("신발", HOLDING_ANY, (), {"phrase", "apart"}),
        ("신발", HOLDING_ANY, ("english",), {"phrase", "apart", "english"}),
        ("신발", ListPlan("lexical", 10), ("english",), {"english"}),
        ("신발", ListPlan("lexical", 10, cut=float("inf")), (), set()),
        ("여름 신발", HOLDING_ALL, (), {"phrase", "apart"}),
        ("여름 신발", HOLDING_ANY, (), {"phrase", "apart", "blue"}),
        ("여름 신발 -특가", HOLDING_ANY, (), {"blue"}),
        ('"여름 신발"', ListPlan("phrase", 10, cut=1.0), (), {"phrase"}),
        ("", HOLDING_ANY, (), {str(one.asset.id) for one in DRAFTS}),
        ("-여름", HOLDING_ANY, (), {"red", "pink", "english"}),
        ("", replace(NEAR_RED, cut=0.5), (), {"red", "pink"}),
        ("", replace(NEAR_RED, window=1, cut=-0.5), (), {"red", "pink", "blue"}),
        ("", replace(NEAR_RED, cut=0.5, floor=0.99), (), {"red"}),
    ],
)
def test_matches_are_counted_whatever_the_window(
    store: Store, text: str, part: ListPlan, also: Sequence[str], expected: set[str]
) -> None:
    view = fill(store)
    more = [view_ordinal(view, name) for name in also]
    plan = plan_of(view, text, part)
    for name in (str(draft.asset.id) for draft in DRAFTS):
        only = replace(plan, without=frozenset({AssetId(name)}))
        assert view.matched(only, more, [], 0).total == len(expected - {name})
    assert view.matched(plan, more, [], 0).total == len(expected)
    names = [str(draft.asset.id) for draft in DRAFTS]
    flags = view.matches(plan, [view_ordinal(view, name) for name in names])
    assert {name for name, held in zip(names, flags, strict=True) if held} == expected - {*also}


def test_facets_count_the_matches_as_they_are_spelled(store: Store) -> None:
    view = fill(store)
    plan = plan_of(view, "신발", HOLDING_ANY)
    also = [view_ordinal(view, "english")]
    facets = view.matched(plan, also, ["brand", "price", "colour"], 10).facets
    assert [(v.value, v.assets) for v in facets["brand"].values] == [("하늘", 2), ("Sky", 1)]
    assert {v.value for v in facets["price"].values} == {9900, 19900}
    assert facets["brand"].totals == FacetTotals(0, 0)
    assert facets["colour"] == Facet((), FacetTotals(0, 3))


def test_facets_say_what_they_do_not_list(store: Store) -> None:
    view = fill(store)
    matched = view.matched(plan_of(view, "", HOLDING_ANY), [], ["brand", "tags"], 1)
    for facet in matched.facets.values():
        listed = sum(one.assets for one in facet.values)
        assert listed + facet.totals.other + facet.totals.missing == matched.total
    assert [(v.value, v.assets) for v in matched.facets["brand"].values] == [("Sky", 2)]


def test_statistics_are_of_the_whole_index(store: Store) -> None:
    view = fill(store)
    known, unknown = Term("lemmas", "여름"), Term("lemmas", "코트")
    statistics = view.statistics([known, unknown], ["text_to_image"])
    assert statistics.terms.frequencies == {known: 3, unknown: 0}
    assert (statistics.assets, statistics.lists["text_to_image"].vectors) == (6, 3)
    assert statistics.terms.idf(unknown) > statistics.terms.idf(known) > 0.0


def test_vectors_of_indexed_assets(store: Store) -> None:
    view = fill(store)
    ids = [AssetId(name) for name in ("red", "phrase", "unknown")]
    found = view.vectors(ids, "image_to_image")
    assert list(found) == ["red"]
    assert found[AssetId("red")] == pytest.approx(VECTORS["red"])


def test_completions_and_near_words(store: Store) -> None:
    view = fill(store)
    assert [c.text for c in view.complete("summ", 5)] == ["summer"]
    assert view.near_words(["sumer", "zzzzzz"], 2) == {"sumer": ("summer",)}


def test_a_write_that_failed_on_its_way_is_recovered(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(store, LocalStore)
    with monkeypatch.context() as broken:
        broken.setattr(LexicalReplay, "catch_up", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.put([draft("late", "늦은 소식")])
    store.recover()
    view = store.view()
    assert best(view, plan_of(view, "소식")) == ["late"]


QUERIES = (
    *("여름", "신발", "여름 신발 특가", "summer shoes", "sale", '"여름 신발"', "shoes -sale"),
    *(
        "+여름 신발",
        "brand:하늘",
        "brand:하늘 특가",
        "신*",
        '"특가 여름"~2',
        "red circle",
        "없는 말",
    ),
)


@pytest.mark.parametrize("text", QUERIES)
def test_the_stores_agree(text: str, tmp_path: Path) -> None:
    """The same tree gives the same matches, names and shares; BM25 itself may differ.

    Shares are equal within a unit: Tantivy counts one document more, which holds its watermark.
    """
    with opened("embedded", tmp_path) as one, opened("memory", tmp_path) as other:
        first, second = (matches_of(fill(store), text) for store in (one, other))
    assert first[0] == second[0]
    assert first[1] == pytest.approx(second[1], abs=1.5 / SHARE_UNITS)


def matches_of(view: View, text: str) -> tuple[object, dict[str, float]]:
    """What must be equal, and the share of each match."""
    found = view.retrieve(plan_of(view, text, ListPlan("phrase", 9), ListPlan("lexical", 9)))
    phrase, words = found.lists
    names = names_in(view, found, words)
    named = [] if words.named is None else words.named.tolist()
    held = [name for name, one in zip(names, named, strict=False) if one]
    shares = [] if words.shares is None else words.shares.tolist()
    same = (set(names_in(view, found, phrase)), set(names), held, words.total)
    return same, dict(zip(names, shares, strict=False))


def test_every_list_has_a_specification() -> None:
    assert [spec.name for spec in LISTS.values()] == list(LISTS) == list(get_args(ListName))
    asked = {(spec.source, spec.asked_by) for spec in LISTS.values()}
    assert len(asked) == len(LISTS)
