"""Filters, asked of one asset at a time."""

from __future__ import annotations

from collections.abc import Sequence

from hybrid_search.analysis.facet_key import facet_key
from hybrid_search.analysis.normalize import normalise
from hybrid_search.core import (
    AllOf,
    AnyOf,
    AttributeValue,
    Between,
    Exists,
    Filter,
    Not,
    OneOf,
    Prefix,
)

_Key = tuple[str, str | float | bool]


Values = Sequence[tuple[str, AttributeValue]]
"""What an asset holds, by field."""


def matches(where: Filter, values: Values) -> bool:
    """Whether the filter matches an asset with these values."""
    if isinstance(where, AllOf):
        return all(matches(part, values) for part in where.filters)
    if isinstance(where, OneOf):
        return any(matches(part, values) for part in where.filters)
    if isinstance(where, Not):
        return not matches(where.filter, values)
    held = [key for name, value in values if name == where.field for key in _keys(value)]
    return any(_meets(where, key) for key in held)


def values_in(values: Values, field: str) -> list[str]:
    """The keys of the field's values, each once."""
    held = [value for name, value in values if name == field]
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
