"""JSON input: aliases, filters and searches, rejected with the name of the field."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_search.api.schemas.parameters import query_from_parameters
from hybrid_search.api.schemas.queries import SearchBody, query_from_json
from hybrid_search.core import (
    LIST_NAMES,
    AllOf,
    AnyOf,
    Between,
    Example,
    Exists,
    Filter,
    FusionSettings,
    ListSettings,
    Not,
    OneOf,
    Prefix,
    Query,
)
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.filter_json import filter_from_json, filter_from_terms

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
DEFAULTS = FusionSettings(60.0, {name: ListSettings(100, 1.0) for name in LIST_NAMES})


def query(**body: Any) -> Query:
    return query_from_json(body, DEFAULTS)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"brand": "봄"}, AnyOf("brand", ("봄",))),
        ({"brand": ["a", 1]}, AnyOf("brand", ("a", 1))),
        ({"price": {"gte": 1, "lte": 2.5}}, Between("price", 1, 2.5)),
        ({"starts": {"gte": "2026-01-01"}}, Between("starts", "2026-01-01", None)),
        ({"id": {"prefix": "ab"}}, Prefix("id", "ab")),
        ({"x": {"exists": True}}, Exists("x")),
        ({"x": {"exists": False}}, Not(Exists("x"))),
        ({"a": 1, "b": 2}, AllOf((AnyOf("a", (1,)), AnyOf("b", (2,))))),
        ({"or": [{"a": 1}, {"b": 2}]}, OneOf((AnyOf("a", (1,)), AnyOf("b", (2,))))),
        ({"and": [{"a": 1}]}, AllOf((AnyOf("a", (1,)),))),
        ({"not": {"a": 1}}, Not(AnyOf("a", (1,)))),
    ],
)
def test_filters_of_each_shape(data: dict[str, Any], expected: Filter) -> None:
    assert filter_from_json(data) == expected


def nested(depth: int) -> dict[str, Any]:
    return {"a": 1} if depth == 1 else {"not": nested(depth - 1)}


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({}, "object"),
        ([], "object"),
        ({"brand": None}, "brand"),
        ({"brand": []}, "brand"),
        ({"brand": [["a"]]}, "brand"),
        ({"price": {"gt": 1, "gte": 2}}, "one bound"),
        ({"price": {"over": 1}}, "gt, gte, lt, lte"),
        ({"price": {"gt": float("inf")}}, "price"),
        ({"": 1}, "1 to 100"),
        ({"x" * 101: 1}, "1 to 100"),
        ({"price": {"gte": 1, "lte": "2"}}, "price"),
        ({"price": {"gte": True}}, "price"),
        ({"price": {"gte": None}}, "price"),
        ({"id": {"prefix": 1}}, "id"),
        ({"id": {"exists": "yes"}}, "id"),
        ({"or": {"a": 1}}, "'or'"),
        ({"and": []}, "'and'"),
        (nested(9), "8"),
        ({"a": list(range(257))}, "256"),
    ],
)
def test_invalid_filters_are_rejected(data: Any, named: str) -> None:
    with pytest.raises(InvalidQuery) as refusal:
        filter_from_json(data)
    assert named in str(refusal.value)


@pytest.mark.parametrize(
    "data",
    [
        {"brand": "\ud800"},
        {"\ud800": "brand"},
        {"brand": ["a", "\ud800"]},
        {"brand": {"prefix": "\ud800"}},
        {"brand": {"lt": "\ud800"}},
        {"\ud800": {"exists": True}},
        {"price": 10**400},
        {"price": [1, -(10**400)]},
        {"price": {"gte": 10**400}},
        {"price": math.nan},
    ],
)
def test_filters_with_impossible_values_are_rejected(data: Any) -> None:
    with pytest.raises(InvalidQuery, match="filter: ") as refused:
        filter_from_json(data)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 200


def test_filters_at_their_limits() -> None:
    assert isinstance(filter_from_json(nested(8)), Not)
    assert filter_from_json({"a": list(range(256))}) == AnyOf("a", tuple(range(256)))


def test_filters_as_terms() -> None:
    assert filter_from_terms([]) is None
    assert filter_from_terms(["p:1..2"]) == Between("p", 1, 2)
    assert filter_from_terms(["p:..2"]) == Between("p", None, 2)
    assert filter_from_terms(["b:*"]) == Exists("b")
    assert filter_from_terms(["b:ab*"]) == Prefix("b", "ab")
    both = OneOf((AnyOf("b", ("x",)), AnyOf("b", ("y",))))
    assert filter_from_terms(["b:x", "b:y", "n:7"]) == AllOf((both, AnyOf("n", ("7", 7))))
    for wrong in ("b", ":x", "b:"):
        with pytest.raises(InvalidQuery, match="FIELD:VALUE"):
            filter_from_terms([wrong])


@pytest.mark.parametrize(
    "body",
    [
        {"size": 1},
        {"size": 200},
        {"size": 200, "offset": 9_800},
        {"rank_constant": 10_000},
        {"like": [{"id": "a", "weight": -10}] * 20},
        {"lists": {"lexical": {"window": 1000, "weight": 0}}},
    ],
)
def test_searches_at_their_limits(body: dict[str, Any]) -> None:
    found = query(**body)
    assert found.size == body.get("size", 10)
    assert len(found.examples) == len(body.get("like", []))


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"size": 0}, "size"),
        ({"size": 201}, "200"),
        ({"offset": -1}, "offset"),
        ({"size": 200, "offset": 9_801}, "10,001"),
        ({"rank_constant": 0}, "rank_constant"),
        ({"rank_constant": 10_001}, "rank_constant"),
        ({"like": [{"id": "a"}] * 21}, "like"),
        ({"like": [{}]}, "like"),
        ({"like": [{"id": "a", "image": "AA=="}]}, "like"),
        ({"like": [{"id": "a", "weight": 11}]}, "like.0"),
        ({"lists": {"lexical": {"window": 1001}}}, "lists.lexical"),
        ({"lists": {"bm25": {}}}, "lists.bm25"),
        ({"mode": "fast"}, "mode"),
        ({"sise": 1}, "sise"),
        ({"image": "not base64!"}, "image"),
        ({"filter": {"a": None}}, "a = "),
    ],
)
def test_searches_over_their_limits_are_rejected(body: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidQuery) as refusal:
        query(**body)
    assert named in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "weight"),
    [("like", 1.0), ("like.2", 2.0), ("unlike.0.5", -0.5), ("like.-10", -10.0)],
)
def test_example_weight_follows_a_dot(name: str, weight: float) -> None:
    (example,) = query_from_parameters([(name, "ad.1")], DEFAULTS).examples
    assert (example.id, example.weight) == ("ad.1", weight)


@pytest.mark.parametrize("name", ["like.", "like.x", "like.nan", "like.inf", "like_text.10.1"])
def test_invalid_weight_is_rejected(name: str) -> None:
    with pytest.raises(InvalidQuery, match="WEIGHT takes -10 to 10"):
        query_from_parameters([(name, "a")], DEFAULTS)


@pytest.mark.parametrize(
    ("mode", "lists"),
    [
        ("hybrid", LIST_NAMES),
        ("text", ("phrase", "lexical")),
        ("vector", ("text_to_image", "copy_semantic", "image_to_image")),
    ],
)
def test_mode_uses_only_its_lists(mode: str, lists: tuple[str, ...]) -> None:
    fusion = query(mode=mode, rank_constant=5).fusion
    assert fusion is not None
    assert tuple(fusion.lists) == lists
    assert fusion.rank_constant == 5


def test_list_settings_are_overridden_partially() -> None:
    fusion = query(lists={"lexical": {"weight": 0}}).fusion
    assert fusion is not None
    assert fusion.lists["lexical"] == ListSettings(100, 0.0)
    assert fusion.lists["phrase"] == ListSettings(100, 1.0)


def test_lone_surrogate_in_an_example_finds_nothing() -> None:
    (example,) = query_from_json({"like": [{"id": "\ud800"}]}, DEFAULTS).examples
    assert example.id == "?"
    with pytest.raises(InvalidQuery, match=r"like\.0\.text"):
        query_from_json({"like": [{"text": "\ud800"}]}, DEFAULTS)


def test_pictures_become_examples() -> None:
    like = [{"id": "a", "weight": -1}, {"image": "AAE="}]
    body = SearchBody.model_validate({"like": like, "image": "Ag=="})
    found = body.to_query(DEFAULTS, [Example(picture=b"upload")])
    assert [example.id for example in found.examples] == ["a", None, None, None]
    assert [e.picture for e in found.examples] == [None, b"\0\1", b"\2", b"upload"]
    assert found.examples[0].weight == -1


def test_open_ranges_have_one_bound() -> None:
    assert filter_from_json({"price": {"gt": 1, "lte": 5}}) == AllOf(
        (Between("price", 1, 5), Not(AnyOf("price", (1,))))
    )
    assert filter_from_json({"price": {"lt": 5}}) == AllOf(
        (Between("price", None, 5), Not(AnyOf("price", (5,))))
    )


@pytest.mark.parametrize("text", ["nan", "inf", "1_000", "0x10", "1e999", "١٢", "9" * 400])
def test_python_only_number_syntax_is_text(text: str) -> None:
    assert filter_from_terms([f"code:{text}"]) == AnyOf("code", (text,))


def test_non_text_term_makes_a_filter() -> None:
    assert filter_from_terms(["brand:\udcff"]) == AnyOf("brand", ("?",))


def test_invalid_field_is_reported_with_its_full_path() -> None:
    with pytest.raises(InvalidQuery, match=r"like\.0\.weight = 99"):
        query_from_json({"like": [{"id": "a", "weight": 99}]}, DEFAULTS)


def test_deep_nesting_gives_a_short_message() -> None:
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    for data in ({"q": deep}, {"filter": {"a": deep}}, {"filter": {"a": {"gte": deep}}}):
        with pytest.raises(InvalidQuery) as refusal:
            query_from_json(data, DEFAULTS)
        assert len(str(refusal.value)) < 300


@given(JSON)
def test_any_json_is_a_filter_or_rejected(data: Any) -> None:
    try:
        parsed = filter_from_json(data)
    except InvalidQuery:
        return
    assert isinstance(data, dict)
    assert parsed == filter_from_json(data)
