"""How often each value of a field stands in the assets that match."""

from __future__ import annotations

from collections.abc import Sequence

from hybrid_search.analysis.facet_key import facet_key
from hybrid_search.core import FacetValue, Ordinal, StoredAsset
from hybrid_search.core.field_schema import Fields
from hybrid_search.core.ports.catalog import Catalog
from hybrid_search.core.ports.lexical_index import FacetBucket, LexicalSnapshot
from hybrid_search.core.ports.store import Plan


class FacetCounts:
    """Counts keys in the inverted index and spells them as the catalog's assets do."""

    def __init__(self, catalog: Catalog, text: LexicalSnapshot, fields: Fields) -> None:
        self._catalog = catalog
        self._text = text
        self._fields = fields

    def of(
        self, field: str, plan: Plan, also: Sequence[Ordinal], limit: int
    ) -> tuple[FacetValue, ...]:
        """The values of the field as ``View.facets`` returns them."""
        buckets = self._text.facet(field, plan.words, plan.binding, also, limit)
        return self._spelled(field, buckets)

    def _spelled(self, field: str, buckets: Sequence[FacetBucket]) -> tuple[FacetValue, ...]:
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
