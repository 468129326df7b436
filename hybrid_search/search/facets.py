"""The values of fields over all that a query matches, counted."""

from __future__ import annotations

from collections.abc import Sequence

from hybrid_search.analysis.facet_key import facet_key
from hybrid_search.core import FacetValue, Query, StoredAsset
from hybrid_search.core.field_schema import Fields
from hybrid_search.core.ports import Catalog, FacetBucket, LexicalIndex
from hybrid_search.search.retriever import Retrieved

FACET_VALUES = 50
"""Values that a facet shows."""


class Facets:
    """Counts values, and finds out how assets spell them."""

    def __init__(self, catalog: Catalog, lexical: LexicalIndex, fields: Fields) -> None:
        self._catalog, self._lexical, self._fields = catalog, lexical, fields

    def of(self, query: Query, retrieved: Retrieved) -> dict[str, tuple[FacetValue, ...]]:
        """For each field asked for, its values over all matches, as the assets spell them.

        A match is an asset with any of the words, in the window or not, or a candidate of any
        list; without words and pictures, every asset that the filter matches.
        """
        asked = retrieved.parsed.clauses or query.examples
        also = list(dict.fromkeys(o for c in retrieved.lists for o in c.ordinals)) if asked else []
        return {
            field: self._spelt(
                field,
                self._lexical.facet(field, retrieved.parsed, query.filter, also, FACET_VALUES),
            )
            for field in query.facets
        }

    def _spelt(self, field: str, buckets: Sequence[FacetBucket]) -> tuple[FacetValue, ...]:
        examples = self._catalog.fetch([bucket.example for bucket in buckets])
        found = [
            FacetValue(value, bucket.assets)
            for bucket in buckets
            for value in self._values(examples[bucket.example], field)
            if facet_key(value) == bucket.key
        ]
        return tuple(sorted(found, key=lambda f: (-f.assets, str(f.value))))

    def _values(self, stored: StoredAsset, field: str) -> list[str | int | float | bool]:
        """The values that the asset has in the field; of equal ones the first."""
        found: dict[str, str | int | float | bool] = {}
        for name, value in self._fields.values_of(stored):
            for single in value if isinstance(value, tuple) else (value,):
                if name == field:
                    found.setdefault(facet_key(single), single)
        return list(found.values())
