"""Field declarations: types, checks, and differences between two declarations."""

import pytest

from hybrid_search.core import (
    AllOf,
    AnyOf,
    Asset,
    AssetId,
    AttributeValue,
    Exists,
    Filter,
    Not,
    Ordinal,
    Query,
    StoredAsset,
)
from hybrid_search.core.errors import InvalidAsset, InvalidConfig, InvalidQuery
from hybrid_search.core.field_schema import FieldRule, Fields, FieldType, changes, read_fields


def typed(kind: FieldType, value: AttributeValue) -> AttributeValue:
    fields = Fields({"it": FieldRule(type=kind)})
    return fields.typed(Asset(AssetId("a"), attributes={"it": value})).attributes["it"]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("number", 9900, 9900),
        ("number", "9,900", 9900),
        ("number", " 1,234.5 ", 1234.5),
        ("number", "-3", -3),
        ("number", "1e300", 1e300),
        ("boolean", "TRUE", True),
        ("boolean", False, False),
        ("date", "2026-11-24", "2026-11-24"),
        ("date", "2026-11-24T09:00:00+09:00", "2026-11-24T09:00:00+09:00"),
        ("text", 7, "7"),
        ("text", ("S", "M"), ("S", "M")),
    ],
)
def test_value_is_read_as_its_declared_type(
    kind: FieldType, value: AttributeValue, expected: AttributeValue
) -> None:
    found = typed(kind, value)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("number", "9,90"),
        ("number", "cheap"),
        ("number", "nan"),
        ("number", "1e400"),
        ("number", True),
        ("number", ("1", "2")),
        ("boolean", "yes"),
        ("boolean", 1),
        ("date", "24.11.2026"),
        ("date", 20261124),
        ("text", True),
    ],
)
def test_value_of_another_type_is_rejected_with_the_field_name(
    kind: FieldType, value: AttributeValue
) -> None:
    with pytest.raises(InvalidAsset, match=f"it = .*not a {kind}"):
        typed(kind, value)


@pytest.mark.parametrize(
    ("name", "rule", "message"),
    [
        ("width", FieldRule(), "computed by the engine"),
        ("title", FieldRule(type="text", searched=True), "only attributes can have a type"),
        ("body", FieldRule(searched=True), "long text"),
        ("source", FieldRule(searched=True), "cannot be searched"),
        ("price", FieldRule(boost=2), "not searched"),
        ("price", FieldRule(type="number", searched=True), "a number cannot be searched"),
    ],
)
def test_inconsistent_rule_is_rejected(name: str, rule: FieldRule, message: str) -> None:
    with pytest.raises(InvalidConfig, match=rf"fields\.{name}.*{message}"):
        Fields({name: rule})


HIDDEN = Fields(
    {
        "price": FieldRule(facetted=False),
        "note": FieldRule(filtered=False, facetted=False),
        "slogan": FieldRule(searched=True, filtered=False),
    }
)


@pytest.mark.parametrize(
    ("where", "facets", "message"),
    [
        (None, ("brand", "price"), "facets: 'price' is not facetted"),
        (AllOf((Exists("brand"), Not(AnyOf("note", ("x",))))), (), "filter: 'note'"),
        (Exists("slogan"), (), "slogan:word in q"),
        (AnyOf("title", ("x",)), (), "title:word in q"),
    ],
)
def test_query_is_checked_against_the_declaration(
    where: Filter | None, facets: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InvalidQuery, match=message):
        HIDDEN.check(Query(filter=where, facets=facets))


def test_allowed_query_passes() -> None:
    HIDDEN.check(Query(filter=AnyOf("price", (1,)), facets=("slogan", "brand")))


def test_declaration_round_trips_and_compares() -> None:
    before = Fields({"price": FieldRule(type="number"), "x": FieldRule(searched=True)})
    after = Fields({"x": FieldRule(searched=True, boost=3), "price": FieldRule(type="number")})
    assert read_fields(before.fingerprint) == before
    assert changes(before, after) == "x.boost 1 -> 3"
    assert changes(before, before) == ""


def test_field_without_filter_and_facet_has_no_values() -> None:
    asset = Asset(AssetId("a"), title="봄", attributes={"note": "x", "price": 1})
    held = dict(HIDDEN.values_of(StoredAsset(Ordinal(1), asset, None, "")))
    assert held == {"id": "a", "price": 1, "has_picture": False}
    titled = Fields({"title": FieldRule(searched=True)})
    assert dict(titled.values_of(StoredAsset(Ordinal(1), asset, None, "")))["title"] == "봄"
