"""The stored bytes of an asset: stable over versions, so that content hashes are stable too."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_search.core import Asset, AssetId, asset_codec
from hybrid_search.core.asset_codec import FIELD_VERSIONS, decode_asset, encode_asset
from hybrid_search.core.errors import IndexMismatch

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ATTRIBUTES = st.one_of(
    st.booleans(),
    st.integers(-(1 << 62), 1 << 62),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXT,
    st.lists(TEXT, max_size=3).map(tuple),
)
FULL = Asset(
    id=AssetId("ad-1"),
    title="여름 신발",
    body="Free delivery",
    brand="하늘",
    campaign="summer",
    tags=("shoes", "신발"),
    language="ko",
    texts={"ja": "靴", "en": "shoes"},
    source="feed",
    starts="2026-06-01",
    ends="2026-08-31",
    attributes={"price": 9900, "new": True, "rating": 4.5, "sizes": ("S", "M"), "note": "a"},
)
FULL_BYTES = (
    '{"attributes":{"new":true,"note":"a","price":9900,"rating":4.5,"sizes":["S","M"]},'
    '"body":"Free delivery","brand":"하늘","campaign":"summer","ends":"2026-08-31","id":"ad-1",'
    '"language":"ko","source":"feed","starts":"2026-06-01","tags":["shoes","신발"],'
    '"texts":{"en":"shoes","ja":"靴"},"title":"여름 신발"}'
).encode()
EMPTY_BYTES = (
    b'{"attributes":{},"body":"","brand":"","campaign":"","ends":"","id":"a","language":"",'
    b'"source":"","starts":"","tags":[],"texts":{},"title":""}'
)


@dataclass(frozen=True, slots=True)
class FutureAsset(Asset):
    """An asset of a later version of the package, which has one field more."""

    headline: str = ""


@pytest.fixture
def future(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FIELD_VERSIONS, "headline", 2)
    monkeypatch.setattr(asset_codec, "Asset", FutureAsset)


@given(
    TEXT, st.lists(TEXT).map(tuple), st.dictionaries(TEXT, TEXT), st.dictionaries(TEXT, ATTRIBUTES)
)
def test_decoding_gives_the_encoded_asset(
    title: str, tags: tuple[str, ...], texts: dict[str, str], attributes: dict[str, Any]
) -> None:
    asset = Asset(AssetId("a"), title=title, tags=tags, texts=texts, attributes=attributes)
    stored = encode_asset(asset)
    assert decode_asset(stored) == asset
    assert encode_asset(decode_asset(stored)) == stored


def test_every_field_of_an_asset_is_stored() -> None:
    assert set(FIELD_VERSIONS) == set(Asset.__dataclass_fields__)


@pytest.mark.parametrize(
    ("asset", "stored"), [(FULL, FULL_BYTES), (Asset(AssetId("a")), EMPTY_BYTES)]
)
def test_bytes_of_version_1_never_change(asset: Asset, stored: bytes) -> None:
    assert encode_asset(asset) == stored
    assert decode_asset(stored) == asset


def test_content_hash_of_version_1_never_changes() -> None:
    known = "4ebda1c7ad3a4eb74fe16eb5f6a6faa4cda36ee9caa5ebf14ffeeb0d0822dce0"
    assert sha256(encode_asset(FULL)).hexdigest() == known


@pytest.mark.usefixtures("future")
def test_a_new_field_changes_nothing_for_assets_that_lack_it() -> None:
    assert encode_asset(FutureAsset(AssetId("a"))) == EMPTY_BYTES
    assert decode_asset(FULL_BYTES) == FutureAsset(
        **{name: getattr(FULL, name) for name in Asset.__dataclass_fields__}
    )


@pytest.mark.usefixtures("future")
def test_a_new_field_is_stored_with_its_version() -> None:
    asset = FutureAsset(AssetId("a"), headline="Sale")
    stored = encode_asset(asset)
    assert b'"_version":2' in stored
    assert decode_asset(stored) == asset


def test_bytes_of_a_later_version_ask_for_an_upgrade() -> None:
    stored = b'{"_version":2,"headline":"Sale",' + EMPTY_BYTES[1:]
    with pytest.raises(IndexMismatch, match=r"asset 'a' is stored in format 2.*upgrade"):
        decode_asset(stored)
