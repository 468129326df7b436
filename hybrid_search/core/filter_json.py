"""Filters as JSON.

``{"brand": "무지개", "price": {"gte": 9900, "lte": 20000}}`` joins its fields by AND;
``{"or": [{…}, {…}]}``, ``{"and": […]}`` and ``{"not": {…}}`` nest. The condition of a field is
a value, a list of values (any of them), a range (``gt``, ``gte``, ``lt``, ``lte``),
``{"prefix": "…"}`` or ``{"exists": true}``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from hybrid_search.core import AllOf, AnyOf, Between, Exists, Filter, Not, OneOf, Prefix
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.json_input import short_repr

MAX_DEPTH = 8
MAX_CONDITIONS = 256
MAX_NAME = 100
_RANGE_KEYS = {"gt", "gte", "lt", "lte"}
_NUMBER = re.compile(r"-?[0-9]{1,300}(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?")


def filter_from_json(data: Any) -> Filter:
    """The filter of a decoded JSON object; raises ``InvalidQuery`` that names the invalid part.

    >>> filter_from_json({"brand": "무지개"})
    AnyOf(field='brand', values=('무지개',))
    """
    parsed = _tree(data, 1)
    if (conditions := _conditions(parsed)) > MAX_CONDITIONS:
        raise InvalidQuery(f"filter: {conditions} conditions, the limit is {MAX_CONDITIONS}")
    return parsed


def filter_from_terms(terms: list[str]) -> Filter | None:
    """The filter of ``field:value`` terms, as in a command line or a query string.

    Terms of one field are joined by OR, fields by AND. ``field:10..20`` is a range with
    either side optional, ``field:*`` is any value, ``field:abc*`` a prefix.
    ``None`` for no terms.

    >>> filter_from_terms(["price:9900.."])
    Between(field='price', low=9900, high=None)
    """
    by_field: dict[str, list[Filter]] = {}
    for term in terms:
        # Arguments of a command may contain bytes that are not valid UTF-8.
        name, colon, value = term.encode("utf-8", "replace").decode().partition(":")
        if not colon or not name or not value:
            raise InvalidQuery(f"filter: {short_repr(term)} is not FIELD:VALUE")
        by_field.setdefault(name, []).append(_term(name, value))
    joined = [_join(OneOf, alternatives) for alternatives in by_field.values()]
    return _join(AllOf, joined) if joined else None


def _term(name: str, value: str) -> Filter:
    if value == "*":
        return Exists(name)
    if ".." in value:
        low, _, high = value.partition("..")
        return _between(name, _typed(low), _typed(high))
    if value.endswith("*"):
        return Prefix(name, value[:-1])
    typed = _typed(value)
    # The stored value may be a text or a number.
    return AnyOf(name, (value,) if typed is None or typed == value else (value, typed))


def _typed(value: str) -> str | int | float | bool | None:
    if not value:
        return None
    if value in {"true", "false"}:
        return value == "true"
    if not _NUMBER.fullmatch(value) or not math.isfinite(number := float(value)):
        return value
    return int(value) if value.lstrip("-").isdigit() else number


def _tree(data: Any, depth: int) -> Filter:
    if depth > MAX_DEPTH:
        raise InvalidQuery(f"filter: nested deeper than {MAX_DEPTH}")
    if not isinstance(data, Mapping) or not data:
        raise InvalidQuery(f"filter: {short_repr(data)} is not an object with fields")
    return _join(AllOf, [_entry(name, value, depth) for name, value in data.items()])


def _entry(name: str, value: Any, depth: int) -> Filter:
    if name == "not":
        return Not(_tree(value, depth + 1))
    if name in {"and", "or"}:
        if not isinstance(value, list) or not value:
            raise InvalidQuery(f"filter: {name!r} takes a list of filters")
        parts = tuple(_tree(part, depth + 1) for part in value)
        return AllOf(parts) if name == "and" else OneOf(parts)
    return _condition(name, value)


def _condition(name: str, value: Any) -> Filter:
    if not name or len(name) > MAX_NAME or not _is_value(name):
        raise InvalidQuery(f"filter: {short_repr(name)}: a name has 1 to {MAX_NAME} characters")
    if _is_value(value):
        return AnyOf(name, (value,))
    if isinstance(value, list) and value and all(map(_is_value, value)):
        return AnyOf(name, tuple(value))
    if isinstance(value, Mapping) and value:
        return _operators(name, value)
    raise InvalidQuery(f"filter: {name} = {short_repr(value)} is not a value, list or condition")


def _is_value(value: Any) -> bool:
    """Whether it is a valid value: a text without lone surrogates, or a finite number."""
    try:
        if isinstance(value, str):
            value.encode()
            return True
        return isinstance(value, int | float) and math.isfinite(value)
    except (UnicodeEncodeError, OverflowError):
        return False


def _operators(name: str, value: Mapping[str, Any]) -> Filter:
    if set(value) <= _RANGE_KEYS:
        return _range(name, value)
    if set(value) == {"prefix"} and isinstance(value["prefix"], str) and _is_value(value["prefix"]):
        return Prefix(name, value["prefix"])
    if set(value) == {"exists"} and isinstance(value["exists"], bool):
        return Exists(name) if value["exists"] else Not(Exists(name))
    known = "gt, gte, lt, lte, prefix, exists"
    raise InvalidQuery(f"filter: {name} = {short_repr(value)}: conditions are {known}")


def _range(name: str, value: Mapping[str, Any]) -> Filter:
    """A range; ``gt`` and ``lt`` exclude the bound."""
    if {"gt", "gte"} <= set(value) or {"lt", "lte"} <= set(value):
        raise InvalidQuery(
            f"filter: {name} = {short_repr(value)}: each side of a range takes one bound"
        )
    low, high = value.get("gt", value.get("gte")), value.get("lt", value.get("lte"))
    within = _between(name, low, high)
    excluded = tuple(value[side] for side in ("gt", "lt") if side in value)
    return AllOf((within, Not(AnyOf(name, excluded)))) if excluded else within


def _between(name: str, low: Any, high: Any) -> Filter:
    bounds = [bound for bound in (low, high) if bound is not None]
    numbers = [isinstance(b, int | float) and not isinstance(b, bool) for b in bounds]
    alike = all(numbers) or all(isinstance(b, str) for b in bounds)
    if not bounds or not alike or not all(map(_is_value, bounds)):
        raise InvalidQuery(
            f"filter: {name}: the bounds of a range are numbers or texts, one may be missing"
        )
    return Between(name, low, high)


def _join(kind: type[AllOf] | type[OneOf], parts: list[Filter]) -> Filter:
    return parts[0] if len(parts) == 1 else kind(tuple(parts))


def _conditions(parsed: Filter) -> int:
    if isinstance(parsed, AllOf | OneOf):
        return sum(_conditions(part) for part in parsed.filters)
    if isinstance(parsed, Not):
        return _conditions(parsed.filter)
    return len(parsed.values) if isinstance(parsed, AnyOf) else 1
