"""Hits in the order of a field's values."""

from __future__ import annotations

from hybrid_search.analysis.normalize import normalise
from hybrid_search.core import FusedHit, Sort, StoredAsset
from hybrid_search.core.field_schema import Fields
from hybrid_search.core.ports import Catalog


def sorted_hits(
    hits: tuple[FusedHit, ...], sort: Sort, catalog: Catalog, fields: Fields
) -> tuple[FusedHit, ...]:
    """By the field's value; those without it last, equal ones as they were."""
    stored = catalog.fetch([hit.ordinal for hit in hits])
    keys = {ordinal: _sort_key(asset, sort.field, fields) for ordinal, asset in stored.items()}
    having = [hit for hit in hits if keys[hit.ordinal] is not None]
    lacking = [hit for hit in hits if keys[hit.ordinal] is None]
    having.sort(key=lambda hit: keys[hit.ordinal] or (0, ""), reverse=sort.descending)
    return (*having, *lacking)


def _sort_key(stored: StoredAsset, field: str, fields: Fields) -> tuple[int, float | str] | None:
    """Numbers before texts; of several values the first. ``None`` without any."""
    named = {"title": stored.asset.title or None, "updated_at": stored.updated_at}
    value = named[field] if field in named else dict(fields.values_of(stored)).get(field)
    single = (value[0] if value else None) if isinstance(value, tuple) else value
    if single is None:
        return None
    if isinstance(single, int | float):
        return 0, float(single)
    return 1, normalise(single).text
