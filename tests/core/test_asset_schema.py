"""What a row or a body may hold: aliases, limits, and messages that name the field."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_search.core.asset_codec import decode_asset, encode_asset
from hybrid_search.core.asset_schema import asset_from_json, asset_to_json
from hybrid_search.core.errors import InvalidAsset

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def test_manifest_aliases_are_accepted() -> None:
    body = {"id": "a", "lang": "en", "text_ko": "강아지", "text.ja": "犬", "title": None}
    asset = asset_from_json({**body, "tags": ["dog"], "tags_ko": ["개", "dog", " "]})
    assert asset.language == "en"
    assert asset.texts == {"ko": "강아지", "ja": "犬"}
    assert asset.tags == ("dog", "개")
    assert asset.title == ""


def test_further_keys_are_attributes() -> None:
    asset = asset_from_json({"id": "a", "price": 9900, "new": True, "x": 1.5, "sizes": ["S"]})
    assert asset.attributes == {"price": 9900, "new": True, "x": 1.5, "sizes": ("S",)}
    assert asset.attributes["new"] is True


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "id"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"id": "a\nb"}, "id"),
        ({"id": "a/similar"}, "id"),
        ({"id": "x" * 513}, "512"),
        ({"id": "a", "title": "x" * 1_001}, "title"),
        ({"id": "a", "starts": "yesterday"}, "starts"),
        ({"id": "a", "tags": ["x"] * 501}, "tags"),
        ({"id": "a", "price": {"won": 1}}, "price"),
        ({"id": "a", "not": "x"}, "'not'"),
        ({"id": "a"} | {f"n{n}": n for n in range(101)}, "the limit is 100"),
    ],
)
def test_invalid_asset_is_rejected_with_the_field(body: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidAsset) as refusal:
        asset_from_json(body)
    assert named in str(refusal.value)


def test_json_round_trips() -> None:
    asset = asset_from_json({"id": "a", "title": "봄", "tags": ["x"], "text_en": "y", "price": 3})
    assert asset_from_json(asset_to_json(asset)) == asset


@pytest.mark.parametrize("wrong", [{"texts": "x", "text_ko": "y"}, {"tags": 5, "tags_ko": ["y"]}])
def test_wrong_type_beside_an_alias_is_rejected(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidAsset, match=r"texts|tags"):
        asset_from_json({"id": "a", **wrong})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1 << 64, "64 bits"),
        (float("inf"), "finite"),
        ([1], "list of texts"),
        ({"a": 1}, "must be a text, a number"),
    ],
)
def test_invalid_attribute_is_rejected_in_one_sentence(value: Any, said: str) -> None:
    with pytest.raises(InvalidAsset) as refusal:
        asset_from_json({"id": "a", "extra": value})
    assert said in str(refusal.value)
    assert str(refusal.value).count("extra") == 1


def test_nan_is_treated_like_null() -> None:
    assert asset_from_json({"id": "a", "price": float("nan"), "old": None}).attributes == {}


@given(st.dictionaries(st.text(max_size=10), JSON, max_size=6))
def test_any_json_asset_round_trips_or_is_rejected(data: dict[str, Any]) -> None:
    try:
        asset = asset_from_json({"id": "a", **data})
    except InvalidAsset:
        return
    assert decode_asset(encode_asset(asset)) == asset
