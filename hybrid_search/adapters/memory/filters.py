"""Filters, asked of one asset at a time."""

from __future__ import annotations

from hybrid_search.records import (
    AllOf,
    AnyOf,
    AttributeValue,
    Between,
    Exists,
    Filter,
    Not,
    OneOf,
    Prefix,
    StoredAsset,
)
from hybrid_search.text.facets import facet_key
from hybrid_search.text.normalise import normalise

_Key = tuple[str, str | float | bool]


def matches(where: Filter, stored: StoredAsset) -> bool:
    """Whether the filter matches the asset."""
    if isinstance(where, AllOf):
        return all(matches(part, stored) for part in where.filters)
    if isinstance(where, OneOf):
        return any(matches(part, stored) for part in where.filters)
    if isinstance(where, Not):
        return not matches(where.filter, stored)
    held = [key for name, value in stored.facets() if name == where.field for key in _keys(value)]
    return any(_meets(where, key) for key in held)


def values_of(stored: StoredAsset, field: str) -> list[str]:
    """The keys of the field's values, each once."""
    held = [value for name, value in stored.facets() if name == field]
    singles = [one for value in held for one in (value if isinstance(value, tuple) else (value,))]
    return list(dict.fromkeys(facet_key(single) for single in singles))


def _keys(value: AttributeValue) -> list[_Key]:
    """The values a field is found by: numbers by worth, texts in one spelling."""
    return [_key(single) for single in (value if isinstance(value, tuple) else (value,))]


def _key(value: str | float | bool) -> _Key:
    if isinstance(value, bool):
        return "truth", value
    if isinstance(value, int | float):
        return "number", float(value)
    return "text", normalise(value).text


def _meets(where: AnyOf | Between | Prefix | Exists, key: _Key) -> bool:
    if isinstance(where, Exists):
        return True
    if isinstance(where, AnyOf):
        return key in [_key(value) for value in where.values]
    if isinstance(where, Prefix):
        return key[0] == "text" and str(key[1]).startswith(normalise(where.value).text)
    low, high = (None if b is None else _key(b) for b in (where.low, where.high))
    kinds = {bound[0] for bound in (low, high) if bound is not None}
    return kinds == {key[0]} and (low is None or low <= key) and (high is None or key <= high)
