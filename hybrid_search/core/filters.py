"""Filters: conditions on the fields of an asset, combined by and, or, not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Matches assets whose field has at least one of the values. Texts are compared case-folded."""

    field: str
    values: tuple[str | int | float | bool, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """Matches assets with a value in the closed range; ``None`` leaves that side open.

    Both bounds are numbers, or both are texts. ISO 8601 dates are compared as texts.
    """

    field: str
    low: str | float | None = None
    high: str | float | None = None


@dataclass(frozen=True, slots=True)
class Prefix:
    """Matches assets whose field has a text with this prefix. Texts are compared case-folded."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Exists:
    """Matches assets that have a value in the field."""

    field: str


@dataclass(frozen=True, slots=True)
class AllOf:
    """Matches assets that all of the filters match; without filters, all assets."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class OneOf:
    """Matches assets that at least one of the filters matches; without filters, none."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Matches assets that the filter does not match."""

    filter: Filter


Filter = AnyOf | Between | Prefix | Exists | AllOf | OneOf | Not
