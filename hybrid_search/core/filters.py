"""What assets must be like to be returned."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Matches assets whose field holds at least one of the values (texts are case-folded)."""

    field: str
    values: tuple[str | int | float | bool, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """Matches assets whose field lies in the closed range; ``None`` leaves a side open.

    Both bounds are numbers or both are texts (ISO dates among them, compared as texts).
    """

    field: str
    low: str | float | None = None
    high: str | float | None = None


@dataclass(frozen=True, slots=True)
class Prefix:
    """Matches assets whose text field begins with these characters (case-folded)."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Exists:
    """Matches assets that have any value in the field."""

    field: str


@dataclass(frozen=True, slots=True)
class AllOf:
    """Matches assets that every one of the filters matches; all assets when there is none."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class OneOf:
    """Matches assets that any one of the filters matches; none when there is none."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Matches assets that the filter does not match."""

    filter: Filter


Filter = AnyOf | Between | Prefix | Exists | AllOf | OneOf | Not
