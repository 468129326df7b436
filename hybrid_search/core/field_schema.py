"""The field schema: which fields are searched, filtered and counted, their boosts and types."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Literal

import orjson

from hybrid_search.core import (
    AllOf,
    Asset,
    AttributeValue,
    Filter,
    Not,
    OneOf,
    Query,
    StoredAsset,
    TextField,
)
from hybrid_search.core.errors import InvalidAsset, InvalidConfig, InvalidQuery

FieldType = Literal["text", "number", "boolean", "date"]
MAX_BOOST = 16
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_MAX_EXACT_INT = 2.0**53
"""Up to here a float holds every whole number exactly."""
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class FieldRule:
    """How one field is used."""

    type: FieldType | None = None
    """The type of an attribute; ``None`` accepts every value unchanged."""
    searched: bool = False
    """Whether queries search its text."""
    boost: int = 1
    """Weight of a word in it, relative to the same word in a field of boost 1."""
    filtered: bool = True
    """Whether filters can use it."""
    facetted: bool = True
    """Whether its values can be counted as a facet."""


_LONG_TEXT = FieldRule(searched=True, filtered=False, facetted=False)
_NAME = FieldRule(searched=True)
_LABEL = FieldRule()
STANDARD: Mapping[str, FieldRule] = {
    **dict.fromkeys(("title", "body", "texts"), _LONG_TEXT),
    **dict.fromkeys(("brand", "campaign", "tags"), _NAME),
    **dict.fromkeys(("language", "source", "starts", "ends"), _LABEL),
}
"""The standard fields and their default rules."""
BUILT_IN = ("id", "updated_at", "has_picture", "width", "height", "aspect", "orientation")
"""Fields that the engine computes."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The declared fields, with defaults for all others.

    An undeclared attribute is filtered and counted, but not searched.
    """

    declared: Mapping[str, FieldRule] = field(default_factory=dict)
    """The rules of declared fields, by name."""

    def __post_init__(self) -> None:
        for name, rule in self.declared.items():
            _check_rule(name, rule)

    @property
    def fingerprint(self) -> str:
        """The declaration as JSON with sorted keys: equal declarations have equal fingerprints."""
        rules = {name: asdict(rule) for name, rule in self.declared.items()}
        return orjson.dumps(rules, option=orjson.OPT_SORT_KEYS).decode()

    @property
    def queryable(self) -> frozenset[str]:
        """The fields that ``field:value`` in a query can name."""
        return frozenset({*STANDARD, *BUILT_IN, *self.declared} - {"updated_at"})

    def rule(self, name: str) -> FieldRule:
        """The rule of the field: declared, standard, or the default of attributes."""
        return self.declared.get(name) or STANDARD.get(name, _LABEL)

    def matches_words(self, name: str) -> bool:
        """Whether ``field:value`` searches its words instead of comparing its whole value."""
        return self.rule(name).searched and STANDARD.get(name) != _NAME

    def searched_texts(self, asset: Asset) -> tuple[TextField, ...]:
        """The searched texts of the asset with their boosts, in reading order, attributes last."""
        fields = [*asset.text_fields()]
        for name, value in asset.attributes.items():
            texts = value if isinstance(value, tuple) else (value,)
            fields += [TextField(name, t) for t in texts if isinstance(t, str) and t.strip()]
        rules = ((field, self.rule(field.field)) for field in fields)
        return tuple(replace(field, boost=rule.boost) for field, rule in rules if rule.searched)

    def values_of(self, stored: StoredAsset) -> Iterator[tuple[str, AttributeValue]]:
        """The (field, value) pairs for filters and facets, converted to the declared types.

        A value that was stored before its type was declared, and does not fit it, is left out.
        """
        pairs = [*stored.facets()]
        if self.rule("title").filtered and stored.asset.title:
            pairs.append(("title", stored.asset.title))
        for name, value in pairs:
            rule = self.rule(name)
            typed = value if rule.type is None else _typed(value, rule.type)
            if typed is not None and (rule.filtered or rule.facetted):
                yield name, typed

    def typed(self, asset: Asset) -> Asset:
        """The asset with its attributes converted to the declared types; raises ``InvalidAsset``.

        >>> fields = Fields({"price": FieldRule(type="number")})
        >>> dict(fields.typed(Asset("a", attributes={"price": "9,900"})).attributes)
        {'price': 9900}
        """
        changed = dict(asset.attributes)
        for name, value in asset.attributes.items():
            kind = self.rule(name).type
            typed = value if kind is None else _typed(value, kind)
            if typed is None:
                raise InvalidAsset(f"{name} = {value!r}: not a {kind}, as [fields.{name}] declares")
            changed[name] = typed
        return replace(asset, attributes=changed)

    def check(self, query: Query) -> None:
        """Raise ``InvalidQuery`` if the query filters or counts a field that does not allow it."""
        for name in query.facets:
            if not self.rule(name).facetted:
                raise InvalidQuery(f"facets: {name!r} is not facetted; see [fields.{name}]")
        for name in _filtered_fields(query.filter):
            if not self.rule(name).filtered:
                hint = f"; search it with {name}:word in q" if self.matches_words(name) else ""
                raise InvalidQuery(f"filter: {name!r} is not filtered{hint}")


UNDECLARED = Fields()


def changes(before: Fields, after: Fields) -> str:
    """The differences as text for messages, such as ``title.boost 1 -> 3``; empty for none."""
    parts = []
    for name in sorted({*before.declared, *after.declared}):
        old, new = asdict(before.rule(name)), asdict(after.rule(name))
        parts += [f"{name}.{key} {old[key]} -> {new[key]}" for key in old if old[key] != new[key]]
    return ", ".join(parts)


def read_fields(fingerprint: str) -> Fields:
    """The declaration with this fingerprint."""
    rules = orjson.loads(fingerprint)
    return Fields({name: FieldRule(**rule) for name, rule in rules.items()})


def _check_rule(name: str, rule: FieldRule) -> None:
    if name in BUILT_IN:
        raise InvalidConfig(f"fields.{name}: computed by the engine, it cannot be declared")
    if rule.type is not None and name in STANDARD:
        raise InvalidConfig(f"fields.{name}.type = {rule.type!r}: only attributes can have a type")
    if name in {"body", "texts"} and (rule.filtered or rule.facetted):
        raise InvalidConfig(f"fields.{name}: long text cannot be filtered or facetted")
    if STANDARD.get(name) == _LABEL and rule.searched:
        raise InvalidConfig(f"fields.{name}.searched: this field cannot be searched")
    if rule.boost != 1 and not rule.searched:
        raise InvalidConfig(f"fields.{name}.boost = {rule.boost}: the field is not searched")
    if rule.searched and rule.type not in {None, "text"}:
        raise InvalidConfig(f"fields.{name}.searched: a {rule.type} cannot be searched")


def _typed(value: AttributeValue, kind: FieldType) -> AttributeValue | None:
    """The value converted to the type; ``None`` if it does not fit."""
    if kind == "text":
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        return str(value) if numeric else value if isinstance(value, str | tuple) else None
    if kind == "boolean":
        return value if isinstance(value, bool) else _BOOLEANS.get(str(value).strip().lower())
    if kind == "date":
        return value if isinstance(value, str) and _is_date(value) else None
    return _number(value)


def _number(value: AttributeValue) -> int | float | None:
    """The value as a number, also from a text such as ``9,900``; ``None`` if it is none."""
    if isinstance(value, int | float):
        return None if isinstance(value, bool) else value
    text = value.strip() if isinstance(value, str) else ""
    plain = text.replace(",", "") if _THOUSANDS.fullmatch(text) else text
    try:
        number = float(plain)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) <= _MAX_EXACT_INT else number


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _filtered_fields(tree: Filter | None) -> Iterator[str]:
    """Every field that the filter names, with repetitions."""
    if isinstance(tree, AllOf | OneOf):
        for part in tree.filters:
            yield from _filtered_fields(part)
    elif isinstance(tree, Not):
        yield from _filtered_fields(tree.filter)
    elif tree is not None:
        yield tree.field
