"""What each field of an asset is for: searched, weighted, filtered, counted as a facet."""

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
    CopyField,
    Filter,
    Not,
    OneOf,
    Query,
    StoredAsset,
)
from hybrid_search.core.errors import InvalidAsset, InvalidConfig, InvalidQuery

FieldType = Literal["text", "number", "boolean", "date"]
MAX_BOOST = 16
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_WHOLE = 2.0**53
"""Up to here every whole number is a float."""
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What one field is for."""

    type: FieldType | None = None
    """What an attribute holds; ``None`` takes every value as it comes."""
    searched: bool = False
    """Whether its words and phrases are found."""
    boost: int = 1
    """How often a word in it counts against the same word elsewhere."""
    filtered: bool = True
    """Whether filters can name it."""
    facetted: bool = True
    """Whether its values can be counted."""


_COPY = FieldRule(searched=True, filtered=False, facetted=False)
_NAME = FieldRule(searched=True)
_LABEL = FieldRule()
STANDARD: Mapping[str, FieldRule] = {
    **dict.fromkeys(("title", "body", "texts"), _COPY),
    **dict.fromkeys(("brand", "campaign", "tags"), _NAME),
    **dict.fromkeys(("language", "source", "starts", "ends"), _LABEL),
}
"""The fields that every asset can have."""
BUILT_IN = ("id", "updated_at", "has_picture", "width", "height", "aspect", "orientation")
"""Fields that the engine fills."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The declared fields, and what holds for all others.

    Attributes that nobody declared are filtered and counted, not searched.
    """

    declared: Mapping[str, FieldRule] = field(default_factory=dict)
    """Rules that differ from what holds without a declaration."""

    def __post_init__(self) -> None:
        for name, rule in self.declared.items():
            _check_rule(name, rule)

    @property
    def fingerprint(self) -> str:
        """Names the declaration: equal for equal rules, whatever their order."""
        rules = {name: asdict(rule) for name, rule in self.declared.items()}
        return orjson.dumps(rules, option=orjson.OPT_SORT_KEYS).decode()

    @property
    def asked(self) -> frozenset[str]:
        """The fields that ``field:value`` in a query can name."""
        return frozenset({*STANDARD, *BUILT_IN, *self.declared} - {"updated_at"})

    def rule(self, name: str) -> FieldRule:
        """What the field is for."""
        return self.declared.get(name) or STANDARD.get(name, _LABEL)

    def by_words(self, name: str) -> bool:
        """Whether ``field:value`` looks for words in the field instead of for its whole value."""
        return self.rule(name).searched and STANDARD.get(name) != _NAME

    def copy_of(self, asset: Asset) -> tuple[CopyField, ...]:
        """The texts of the asset that are searched, in reading order, attributes last."""
        runs = [*asset.copy_fields()]
        for name, value in asset.attributes.items():
            texts = value if isinstance(value, tuple) else (value,)
            runs += [CopyField(name, t) for t in texts if isinstance(t, str) and t.strip()]
        rules = ((run, self.rule(run.field)) for run in runs)
        return tuple(replace(run, boost=rule.boost) for run, rule in rules if rule.searched)

    def values_of(self, stored: StoredAsset) -> Iterator[tuple[str, AttributeValue]]:
        """The (field, value) pairs that filters and facets see, as their types have it.

        A value that was stored before its type was declared, and is none of it, is left out.
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
        """The asset with its attributes as their types have it; raises ``InvalidAsset``.

        >>> fields = Fields({"price": FieldRule(type="number")})
        >>> dict(fields.typed(Asset("a", attributes={"price": "9,900"})).attributes)
        {'price': 9900}
        """
        changed = dict(asset.attributes)
        for name, value in asset.attributes.items():
            kind = self.rule(name).type
            typed = value if kind is None else _typed(value, kind)
            if typed is None:
                raise InvalidAsset(f"{name} = {value!r}: declared as {kind} and is none")
            changed[name] = typed
        return replace(asset, attributes=changed)

    def check(self, query: Query) -> None:
        """Raise ``InvalidQuery`` when the query filters or counts what is declared otherwise."""
        for name in query.facets:
            if not self.rule(name).facetted:
                raise InvalidQuery(f"facets: {name!r} is not facetted; see [fields.{name}]")
        for name in _named(query.filter):
            if not self.rule(name).filtered:
                how = f"; its words are found by {name}:word in q" if self.by_words(name) else ""
                raise InvalidQuery(f"filter: {name!r} is not filtered{how}")


UNDECLARED = Fields()


def changes(before: Fields, after: Fields) -> str:
    """What differs, for people: ``title.boost 1 -> 3``."""
    parts = []
    for name in sorted({*before.declared, *after.declared}):
        old, new = asdict(before.rule(name)), asdict(after.rule(name))
        parts += [f"{name}.{key} {old[key]} -> {new[key]}" for key in old if old[key] != new[key]]
    return ", ".join(parts)


def read_fields(fingerprint: str) -> Fields:
    """The declaration that has this fingerprint."""
    rules = orjson.loads(fingerprint)
    return Fields({name: FieldRule(**rule) for name, rule in rules.items()})


def _check_rule(name: str, rule: FieldRule) -> None:
    if name in BUILT_IN:
        raise InvalidConfig(f"fields.{name}: filled by the engine, it cannot be declared")
    if rule.type is not None and name in STANDARD:
        raise InvalidConfig(f"fields.{name}.type = {rule.type!r}: only attributes have a type")
    if name in {"body", "texts"} and (rule.filtered or rule.facetted):
        raise InvalidConfig(f"fields.{name}: long copy is searched, not filtered or facetted")
    if STANDARD.get(name) == _LABEL and rule.searched:
        raise InvalidConfig(f"fields.{name}.searched: a label is filtered, not searched")
    if rule.boost != 1 and not rule.searched:
        raise InvalidConfig(f"fields.{name}.boost = {rule.boost}: the field is not searched")
    if rule.searched and rule.type not in {None, "text"}:
        raise InvalidConfig(f"fields.{name}.searched: a {rule.type} has no words")


def _typed(value: AttributeValue, kind: FieldType) -> AttributeValue | None:
    """The value as that type; ``None`` when it is none."""
    if kind == "text":
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        return str(value) if numeric else value if isinstance(value, str | tuple) else None
    if kind == "boolean":
        return value if isinstance(value, bool) else _TRUTH.get(str(value).strip().lower())
    if kind == "date":
        return value if isinstance(value, str) and _is_date(value) else None
    return _number(value)


def _number(value: AttributeValue) -> int | float | None:
    """A number, also from a text as people write them: ``9,900``."""
    if isinstance(value, int | float):
        return None if isinstance(value, bool) else value
    text = value.strip() if isinstance(value, str) else ""
    plain = text.replace(",", "") if _GROUPED.fullmatch(text) else text
    try:
        number = float(plain)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) <= _WHOLE else number


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _named(where: Filter | None) -> Iterator[str]:
    """Every field that a filter names."""
    if isinstance(where, AllOf | OneOf):
        for part in where.filters:
            yield from _named(part)
    elif isinstance(where, Not):
        yield from _named(where.filter)
    elif where is not None:
        yield where.field
