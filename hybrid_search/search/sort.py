"""An order by a field's values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hybrid_search.analysis.normalize import normalise
from hybrid_search.core import Sort, StoredAsset
from hybrid_search.core.candidates import Integers
from hybrid_search.core.field_schema import Fields
from hybrid_search.search.fusion import Order

_Key = tuple[int, float | str]


def sorted_places(
    order: Order, stored: Mapping[int, StoredAsset], sort: Sort, fields: Fields
) -> Integers:
    """The places of the order by the field's value; without a value last, equal ones as they were.

    ``stored`` has the assets by arrival; one that is missing counts as one without a value.
    """
    keys = [
        _key(stored[arrival], sort.field, fields) if arrival in stored else None
        for arrival in order.arrivals.tolist()
    ]
    having = [(key, place) for place, key in enumerate(keys) if key is not None]
    having.sort(key=lambda item: item[0], reverse=sort.descending)
    missing = [place for place, key in enumerate(keys) if key is None]
    return np.array([*(place for _, place in having), *missing], np.int64)


def _key(stored: StoredAsset, field: str, fields: Fields) -> _Key | None:
    """Numbers before texts; of several values the first. ``None`` without any."""
    named = {"title": stored.asset.title or None, "updated_at": stored.updated_at}
    value = named[field] if field in named else dict(fields.values_of(stored)).get(field)
    single = (value[0] if value else None) if isinstance(value, tuple) else value
    if single is None:
        return None
    if isinstance(single, int | float):
        return 0, float(single)
    return 1, normalise(single).text
