"""Contract of every lexical index: exact phrases, operators, filters, ties, commits."""

import random
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybrid_search.analysis.analyzer import Analyzer
from hybrid_search.analysis.kiwi import KiwiAnalyzer
from hybrid_search.analysis.query_parser import parse_query
from hybrid_search.analysis.rules import RulesAnalyzer
from hybrid_search.core import (
    AllOf,
    AnyOf,
    Asset,
    AssetId,
    Between,
    Digest,
    Exists,
    Filter,
    Not,
    OneOf,
    Ordinal,
    PictureFacts,
    Prefix,
    StoredAsset,
)
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.field_schema import UNDECLARED, FieldRule, Fields
from hybrid_search.core.ports import LexicalIndex
from hybrid_search.stores.embedded.lexical.index import TantivyIndex
from hybrid_search.stores.memory import MemoryLexical
from tests.rounds import rounds
from tests.typed_index import TypedIndex

KIWI = KiwiAnalyzer()
NOTHING = parse_query("")
RULES = RulesAnalyzer()
KINDS: dict[str, tuple[Analyzer, Callable[[Path, Fields], LexicalIndex]]] = {
    "tantivy-rules": (RULES, lambda f, fields: TantivyIndex(f / "index", RULES, fields=fields)),
    "tantivy-kiwi": (KIWI, lambda f, fields: TantivyIndex(f / "index", KIWI, fields=fields)),
    "memory": (RULES, lambda _, fields: MemoryLexical(RULES, fields)),
}
PICTURE = PictureFacts(Digest("p"), "PNG", 400, 200, 9, "#ffffff")


def stored(ordinal: int, title: str = "", picture: bool = False, **fields: object) -> StoredAsset:
    asset = Asset(AssetId(f"a{ordinal}"), title=title, **fields)  # type: ignore[arg-type]
    return StoredAsset(Ordinal(ordinal), asset, PICTURE if picture else None, "2026-01-01")


ASSETS = [
    stored(1, "여름 신발 특가", brand="하늘", attributes={"price": 9900, "new": True}),
    stored(2, "여름 특가 신발", brand="하늘", attributes={"price": 19900, "new": False}),
    stored(3, "Summer shoes sale", brand="Sky", tags=("shoes", "summer"), picture=True),
    stored(4, "여름신발 모음", body="특가", brand="SKY", starts="2026-06-01"),
    stored(5, "겨울 코트", tags=("여름", "신발"), attributes={"price": 9900.0, "code": "9900"}),
    stored(6, "Sale on winter coats", campaign="Winter", attributes={"sizes": ("S", "M")}),
]


@contextmanager
def opened(kind: str, folder: Path, fields: Fields = UNDECLARED) -> Iterator[TypedIndex]:
    analyzer, make = KINDS[kind]
    with closing(make(folder, fields)) as index:
        yield TypedIndex(index, analyzer, fields)


@pytest.fixture(params=sorted(KINDS))
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TypedIndex]:
    with opened(request.param, tmp_path) as index:
        yield index


@pytest.fixture(scope="module", params=sorted(KINDS))
def index(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TypedIndex]:
    """The six assets above, committed."""
    with opened(request.param, tmp_path_factory.mktemp("lexical")) as made:
        made.add(ASSETS)
        made.commit(6)
        yield made


def words(index: TypedIndex, text: str, limit: int = 10, **more: object) -> list[int]:
    return list(index.words(parse_query(text), limit, **more).ordinals)  # type: ignore[arg-type]


def ordinals(*numbers: int) -> list[Ordinal]:
    return [Ordinal(number) for number in numbers]


@pytest.mark.parametrize("limit", [0, 1, 3, 10_000, 10**9, 2**62])
def test_any_limit_is_accepted(index: TypedIndex, limit: int) -> None:
    found = words(index, "여름", limit)
    assert found == words(index, "여름", 100)[:limit]
    assert len(found) >= min(limit, 3)
    held = index.phrase("여름", limit).ordinals
    assert held == index.phrase("여름", 100).ordinals[:limit]


def test_ordinals_include_a_version_added_again(empty: TypedIndex) -> None:
    for _ in range(2):
        empty.add(ASSETS[:3])
        empty.commit(3)
    assert empty.ordinals().tolist() == [1, 2, 3]
    assert empty.count() == 3
    assert words(empty, "신발") == [1, 2]


def test_a_new_index_is_empty(empty: TypedIndex) -> None:
    assert (empty.count(), empty.watermark) == (0, 0)
    assert words(empty, "여름") == []
    assert empty.phrase("여름", 5).total == 0
    assert empty.allowed(NOTHING, None) is None
    restricted = empty.allowed(NOTHING, AnyOf("brand", ("하늘",)))
    assert restricted is not None
    assert restricted.tolist() == []


def test_writes_are_visible_after_the_commit_and_not_before(empty: TypedIndex) -> None:
    empty.add(ASSETS[:2])
    assert (empty.count(), words(empty, "여름")) == (0, [])
    empty.commit(2)
    assert (empty.count(), empty.watermark) == (2, 2)
    assert sorted(words(empty, "여름")) == [1, 2]
    empty.remove(ordinals(1, 99))
    assert sorted(words(empty, "여름")) == [1, 2]
    empty.commit(3)
    assert (empty.count(), empty.watermark, words(empty, "여름")) == (1, 3, [2])
    empty.remove([])
    empty.commit(4)
    assert (empty.count(), empty.watermark) == (1, 4)


def test_a_version_added_and_removed_before_one_commit_is_gone(empty: TypedIndex) -> None:
    empty.add(ASSETS[:2])
    empty.remove(ordinals(1))
    empty.commit(1)
    assert words(empty, "여름") == [2]


@pytest.mark.parametrize(
    ("phrase", "holders"),
    [
        ("여름 신발", [1, 4]),
        ("신발 특가", [1]),
        ("특가 신발", [2]),
        ("summer shoes", [3]),
        ("SHOES SALE", [3]),
        ("summer sale", []),
        ("shoe", []),
        ("신발 모음 특가", []),
        ("여름 신", []),
        ("winter coats", [6]),
        ("!?", []),
        ("", []),
    ],
)
def test_phrases_match_order_words_and_fields_exactly(
    index: TypedIndex, phrase: str, holders: list[int]
) -> None:
    found = index.phrase(phrase, 10)
    assert sorted(found.ordinals) == holders
    assert found.total == len(holders)
    assert list(found.scores) == sorted(found.scores, reverse=True)


def test_same_spacing_ranks_before_other_spacing(index: TypedIndex) -> None:
    assert index.phrase("여름 신발", 10).ordinals == (1, 4)
    assert index.phrase("여름신발", 10).ordinals == (4, 1)


def test_words_find_every_asset_that_has_one(index: TypedIndex) -> None:
    found = index.words(parse_query("winter shoes"), 10)
    assert set(found.ordinals) == {3, 6}
    assert found.total == 2
    assert words(index, "summer shoes sale")[0] == 3


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("+여름 +특가", {1, 2}),
        ("여름 -특가", {5}),
        ("-여름", {3, 6}),
        ("+brand:하늘", {1, 2}),
        ("신발 -brand:하늘", {5}),
        ("summ*", {3}),
        ("+s*", {3, 6}),
        ("여*", {1, 2, 5}),
        ("+특가신*", {2}),
        ('-"여름 신발" 신발', {2, 5}),
        ('+"여름 신발" 특가', {1}),
        ("nothing-like-it", set()),
    ],
)
def test_operators_restrict_matches(index: TypedIndex, query: str, expected: set[int]) -> None:
    # The fourth is left out: whether 여름신발 contains the word 여름 depends on the analyser.
    assert set(words(index, query, among=ordinals(1, 2, 3, 5, 6))) == expected


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (AnyOf("brand", ("하늘",)), [1, 2]),
        (AnyOf("brand", ("sky",)), [3, 4]),
        (AnyOf("brand", ("sky", "하늘")), [1, 2, 3, 4]),
        (AnyOf("price", (9900,)), [1, 5]),
        (AnyOf("price", ("9900",)), []),
        (AnyOf("code", ("9900",)), [5]),
        (AnyOf("new", (True,)), [1]),
        (AnyOf("new", (1,)), []),
        (AnyOf("sizes", ("m",)), [6]),
        (Between("price", 9900, 10000), [1, 5]),
        (Between("price", 9901, None), [2]),
        (Between("price", None, 9899.5), []),
        (Between("starts", "2026-05", "2026-07"), [4]),
        (Between("width", 400, 400), [3]),
        (Prefix("brand", "S"), [3, 4]),
        (Prefix("brand", ""), [1, 2, 3, 4]),
        (Exists("price"), [1, 2, 5]),
        (Exists("nothing"), []),
        (Not(Exists("price")), [3, 4, 6]),
        (AnyOf("orientation", ("landscape",)), [3]),
        (AnyOf("has_picture", (False,)), [1, 2, 4, 5, 6]),
        (AllOf((AnyOf("brand", ("하늘",)), AnyOf("new", (True,)))), [1]),
        (OneOf((AnyOf("new", (True,)), AnyOf("campaign", ("winter",)))), [1, 6]),
        (AllOf(()), [1, 2, 3, 4, 5, 6]),
        (OneOf(()), []),
        (Not(OneOf(())), [1, 2, 3, 4, 5, 6]),
        (AnyOf("brand", ()), []),
    ],
)
def test_filters(index: TypedIndex, where: Filter, expected: list[int]) -> None:
    allowed = index.allowed(NOTHING, where)
    assert allowed is not None
    assert allowed.tolist() == expected
    assert set(words(index, "여름 summer sale", where=where)) <= set(expected)


def test_filters_whose_values_compare_equal_are_kept_apart(index: TypedIndex) -> None:
    found = [index.allowed(NOTHING, AnyOf("new", (value,))) for value in (1, True, 1.0, "True")]
    assert [[] if f is None else f.tolist() for f in found] == [[], [1], [], []]


def test_filter_applies_to_every_list(index: TypedIndex) -> None:
    query = parse_query('anything +여름 -"여름 신발"')
    allowed = index.allowed(query, AnyOf("brand", ("하늘",)))
    assert allowed is not None
    assert allowed.tolist() == [2]
    assert index.allowed(parse_query("여름 신발"), None) is None


def test_among_restricts_and_counts(index: TypedIndex) -> None:
    found = index.words(parse_query("여름"), 10, among=ordinals(2, 3, 99))
    assert (found.ordinals, found.total) == ((2,), 1)
    assert index.words(parse_query("여름"), 10, among=[]).ordinals == ()
    assert index.phrase("여름 신발", 10, among=ordinals(4, 5)).ordinals == (4,)


def test_highlights_mark_the_matches(index: TypedIndex) -> None:
    spans = index.highlight(parse_query('"여름 신발" sale'), ASSETS[0].asset)
    assert [(s.field, s.start, s.end) for s in spans] == [("title", 0, 5)]
    tagged = index.highlight(parse_query("summer"), ASSETS[2].asset)
    assert [(s.field, s.index) for s in tagged] == [("title", 0), ("tags", 1)]


@pytest.mark.parametrize("limit", [1, 5, 40, 199, 200, 500])
def test_ties_are_ordered_by_ordinal_at_every_limit(empty: TypedIndex, limit: int) -> None:
    order = list(range(1, 201))
    random.Random(3).shuffle(order)
    for start in range(0, 200, 50):
        empty.add(stored(number, "같은 글") for number in order[start : start + 50])
        empty.commit(start + 1)
    gone = [Ordinal(number) for number in order[:20]]
    empty.remove(gone)
    empty.commit(500)
    alive = sorted(set(order) - set(gone))
    found = empty.words(parse_query("글"), limit)
    assert (list(found.ordinals), found.total) == (alive[:limit], 180)
    assert list(empty.phrase("같은 글", limit).ordinals) == alive[:limit]


@settings(max_examples=rounds(60, 600), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=80) | st.text('"+-~:*() \t여름신발sumer#brand', max_size=40))
def test_any_query_text_is_accepted(index: TypedIndex, text: str) -> None:
    try:
        query = parse_query(text)
    except InvalidQuery:
        return
    found = index.words(query, 5)
    assert len(found.ordinals) == len(found.scores) <= min(5, found.total)
    for phrase in query.phrases:
        assert index.phrase(phrase, 5).total <= len(ASSETS)
    index.allowed(query, None)
    index.corrections(query)
    assert len(index.complete(text, 3)) <= 3
    for span in index.highlight(query, ASSETS[0].asset):
        assert 0 <= span.start < span.end <= 100_000


@settings(max_examples=rounds(60, 600), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(["여름", "신발", "특가", "모음", "shoes"]), min_size=1, max_size=3))
def test_phrase_matches_equal_a_naive_scan(index: TypedIndex, wanted: list[str]) -> None:
    phrase = "".join(wanted)
    runs = {a.arrival: [run.text for run in a.asset.text_fields()] for a in ASSETS}
    holders = {
        ordinal
        for ordinal, texts in runs.items()
        for text in texts
        if _whole_words(text.lower().split(), phrase)
    }
    assert set(index.phrase(" ".join(wanted), 10).ordinals) == holders


def _whole_words(words: list[str], joined: str) -> bool:
    """Return whether successive words, joined, equal the joined phrase."""
    starts = range(len(words))
    return any("".join(words[s:e]) == joined for s in starts for e in range(s + 1, len(words) + 1))


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("여", ["여름"]),
        ("열", ["여름"]),
        ("여르", ["여름"]),
        ("ㅇㄹ", ["여름"]),
        ("dufma", ["여름"]),
        ("su", ["summer"]),
        ("SU", ["summer"]),
        ("녀ㅡㅡㄷㄱ", ["summer"]),
        ("sk", ["Sky"]),
        ("wint", ["winter"]),
        ("", []),
        ("없는말", []),
    ],
)
def test_typed_prefix_is_completed(index: TypedIndex, typed: str, expected: list[str]) -> None:
    found = index.complete(typed, 10)
    texts = [completion.text.lower() for completion in found]
    assert [text for text in texts if " " not in text][: len(expected)] == [
        text.lower() for text in expected
    ]
    assert [c.assets for c in found] == sorted((c.assets for c in found), reverse=True)
    assert len(index.complete(typed, 1)) == min(1, len(found))


def test_completions_count_live_assets(empty: TypedIndex) -> None:
    empty.add(stored(number, "우산", brand="비옷") for number in (1, 2, 3))
    empty.commit(1)
    assert [tuple(c) for c in empty.complete("우", 5)] == [("우산", 3)]
    empty.remove(ordinals(1, 2))
    empty.commit(2)
    assert [tuple(c) for c in empty.complete("우", 5)] == [("우산", 1)]
    empty.remove(ordinals(3))
    empty.commit(3)
    assert empty.complete("우", 5) == ()


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("summr", "summer"),
        ("sumemr shoes", "summer shoes"),
        ("+여륨 신발", "+여름 신발"),
        ("dufma", "여름"),
        ("여름 신발", None),
        ("summer", None),
        ("qqqqqq", None),
        ("ab", None),
        ('"summr"', None),
        ("-summr", None),
    ],
)
def test_unknown_words_are_corrected_and_known_words_kept(
    index: TypedIndex, typed: str, expected: str | None
) -> None:
    found = index.corrections(parse_query(typed))
    assert (found[0] if found else None) == expected
    assert len(found) <= 3


@pytest.mark.parametrize(
    ("field", "query", "where", "also", "expected"),
    [
        ("brand", "", None, (), {"s하늘": 2, "ssky": 2}),
        ("brand", "+특가", None, (), {"s하늘": 2, "ssky": 1}),
        ("brand", "coats", None, (3, 4), {"ssky": 2}),
        ("brand", "", AnyOf("price", (9900,)), (), {"s하늘": 1}),
        ("brand", "-brand:하늘", None, (), {"ssky": 2}),
        ("price", "", None, (), {"n9900.0": 2, "n19900.0": 1}),
        ("new", "", None, (), {"bFalse": 1, "bTrue": 1}),
        ("tags", "", None, (), {"sshoes": 1, "ssummer": 1, "s신발": 1, "s여름": 1}),
        ("nothing", "", None, (), {}),
        ("brand", "nothinglikeit", None, (), {}),
    ],
)
def test_facets_count_all_matches(  # noqa: PLR0917  a row of the table above
    index: TypedIndex,
    field: str,
    query: str,
    where: Filter | None,
    also: tuple[int, ...],
    expected: dict[str, int],
) -> None:
    found = index.facet(field, parse_query(query), where, ordinals(*also), 10)
    assert {bucket.key: bucket.assets for bucket in found} == expected
    assert [b.assets for b in found] == sorted((b.assets for b in found), reverse=True)
    for bucket in found:
        held = [name for name, _ in ASSETS[bucket.example - 1].facets()]
        assert field in held
    first = index.facet(field, parse_query(query), where, ordinals(*also), 1)
    assert len(first) == min(1, len(expected))


def test_facets_exclude_deleted_assets(empty: TypedIndex) -> None:
    empty.add(stored(number, "글", brand="하늘" if number < 3 else "Sky") for number in range(1, 6))
    empty.commit(5)
    empty.remove(ordinals(1, 2, 3))
    empty.commit(6)
    found = empty.facet("brand", parse_query("글"), None, (), 10)
    assert [(b.key, b.assets) for b in found] == [("ssky", 2)]
    assert found[0].example in {4, 5}


DECLARED = Fields(
    {
        "title": FieldRule(searched=True, boost=4, filtered=False, facetted=False),
        "body": FieldRule(searched=False, filtered=False, facetted=False),
        "slogan": FieldRule(type="text", searched=True, filtered=False, facetted=False),
        "price": FieldRule(type="number", facetted=False),
        "brand": FieldRule(searched=False),
    }
)
SLOGANS = [
    stored(1, "겨울 코트", body="여름 신발", brand="여름", attributes={"slogan": "우산 아래 봄비"}),
    stored(2, "겨울 우산", attributes={"slogan": "겨울이 온다", "price": "9,900"}),
    stored(3, "장갑", tags=("우산",), attributes={"slogan": ("Running", "우산 속"), "price": "?"}),
]


@pytest.fixture(scope="module", params=sorted(KINDS))
def declared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TypedIndex]:
    """Three assets with declared fields."""
    with opened(request.param, tmp_path_factory.mktemp("declared"), DECLARED) as made:
        made.add(SLOGANS)
        made.commit(3)
        yield made


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("여름", set()),
        ('"여름 신발"', set()),
        ("봄비", {1}),
        ('+"우산 아래"', {1}),
        ("slogan:우산", {1, 3}),
        ("slogan:봄*", {1}),
        ('slogan:"우산 속"', {3}),
        ('slogan:"속 우산"', set()),
        ("slogan:run", {3}),
        ("-slogan:우산 겨울", {2}),
        ("title:우산", {2}),
        ("body:여름", set()),
        ("price:9900", {2}),
        ("brand:여*", {1}),
        ("tags:우산", {3}),
    ],
)
def test_declared_fields_are_searched_and_others_not(
    declared: TypedIndex, query: str, expected: set[int]
) -> None:
    found = declared.words(parse_query(query, DECLARED.queryable), 10)
    assert set(found.ordinals) == expected


def test_boosted_field_ranks_first(declared: TypedIndex) -> None:
    assert words(declared, "우산")[0] == 2


def test_whole_name_match_ranks_before_partial_matches(index: TypedIndex) -> None:
    found = index.words(parse_query("여름"), 10)
    assert found.ordinals[0] == 5  # equals one of its tags
    assert found.named[:3] == (True, False, False)
    assert found.shares[:3] == (1.0, 1.0, 1.0)


def test_whole_names_ignore_spacing_case_and_number(index: TypedIndex) -> None:
    for asked in ("SUMMER shoe sale", "summer shoes sale!", "여름신발 특가"):
        found = index.words(parse_query(asked), 10)
        assert found.named[:2] in {(True,), (True, False), (True, True)}, asked
    for asked in ("summer shoes", "+summer shoes sale", "summer shoes sale -winter"):
        assert not any(index.words(parse_query(asked), 10).named), asked


def test_larger_query_coverage_ranks_first(index: TypedIndex) -> None:
    found = index.words(parse_query("winter coats sale 여름"), 10)
    assert found.ordinals[0] == 6
    assert list(found.shares) == sorted(found.shares, reverse=True)
    assert 0.5 < found.shares[0] < 1.0
    assert found.shares[-1] < 0.5
    assert found.information == pytest.approx(
        sum(
            index.words(parse_query(word), 1).information
            for word in ("winter", "coats", "sale", "여름")
        )
    )


def test_shorter_list_is_a_prefix_of_a_longer_one(index: TypedIndex) -> None:
    whole = words(index, "여름 신발 sale winter 특가", 10)
    for limit in range(1, len(whole)):
        assert words(index, "여름 신발 sale winter 특가", limit) == whole[:limit]


def test_declared_values_are_typed_in_filters(declared: TypedIndex) -> None:
    cheap = declared.allowed(NOTHING, Between("price", None, 10_000))
    priced = declared.allowed(NOTHING, Exists("price"))
    assert cheap is not None
    assert priced is not None
    assert (cheap.tolist(), priced.tolist()) == ([2], [2])


def test_highlights_are_limited_to_searched_fields(declared: TypedIndex) -> None:
    spans = declared.highlight(parse_query("여름 우산"), SLOGANS[0].asset)
    assert [(s.field, s.start, s.end) for s in spans] == [("slogan", 0, 2)]
    named = declared.highlight(parse_query("title:겨울 겨울"), SLOGANS[1].asset)
    assert [(s.field, s.start, s.end) for s in named] == [("title", 0, 2), ("slogan", 0, 2)]
    only = declared.highlight(parse_query("title:겨울"), SLOGANS[1].asset)
    assert [s.field for s in only] == ["title"]


def test_allowed_set_follows_every_commit(empty: TypedIndex) -> None:
    where = AnyOf("brand", ("하늘",))
    for last in (1, 2):
        empty.add([ASSETS[last - 1]])
        empty.commit(last)
        allowed = empty.allowed(NOTHING, where)
        assert allowed is not None
        assert allowed.tolist() == list(range(1, last + 1))
