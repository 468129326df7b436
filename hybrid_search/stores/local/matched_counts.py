"""The size of a matched set, and the values that its assets have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hybrid_search.analysis.facet_key import facet_key
from hybrid_search.core import LISTS, Facet, FacetTotals, FacetValue, Ordinal, StoredAsset
from hybrid_search.core.candidates import Flags
from hybrid_search.core.field_schema import Fields
from hybrid_search.core.ports.catalog import Catalog
from hybrid_search.core.ports.lexical_index import FacetBucket, LexicalSnapshot
from hybrid_search.core.ports.store import ListPlan, Matched, Plan
from hybrid_search.core.query_tree import All, MatchedSet
from hybrid_search.stores.local.list_retriever import ListRetriever


class MatchedCounts:
    """Counts assets and values in the inverted index, and spells values as the assets do."""

    def __init__(
        self, catalog: Catalog, text: LexicalSnapshot, lists: ListRetriever, fields: Fields
    ) -> None:
        self._catalog = catalog
        self._text = text
        self._lists = lists
        self._fields = fields

    def of(
        self,
        plan: Plan,
        also: Sequence[int],
        without: Sequence[int],
        fields: Sequence[str],
        limit: int,
    ) -> Matched:
        """See ``View.matched``; ``without`` are the examples of the plan."""
        matched = self._set(plan, also, without)
        total = self._text.matching(matched)
        return Matched(total, {name: self._facet(name, matched, total, limit) for name in fields})

    def members(self, plan: Plan, without: Sequence[int], wanted: Sequence[Ordinal]) -> Flags:
        """See ``View.matches``."""
        near = [
            ordinal for part in _of_vectors(plan) for ordinal in self._lists.above_of(part, wanted)
        ]
        found = self._text.members(_matched_set(plan, near, without), wanted)
        return np.array([ordinal in found for ordinal in wanted], np.bool_)

    def _set(self, plan: Plan, also: Sequence[int], without: Sequence[int]) -> MatchedSet:
        parts = _of_vectors(plan)
        allowed = self._text.allowed(plan.binding) if parts else None
        near = [ordinal for part in parts for ordinal in self._lists.above(part, allowed)]
        return _matched_set(plan, [*also, *near], without)

    def _facet(self, field: str, matched: MatchedSet, total: int, limit: int) -> Facet:
        found = self._text.facet(field, matched, limit)
        return Facet(
            self._spelled(field, found.buckets),
            FacetTotals(found.having - found.listed, total - found.having),
        )

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


def _matched_set(plan: Plan, among: Sequence[int], without: Sequence[int]) -> MatchedSet:
    """What reaches the cuts of words and phrases, and these."""
    parts = {LISTS[part.name].source: part for part in plan.lists if part.cut is not None}
    words = parts.get("words")
    return MatchedSet(
        binding=plan.binding,
        words=plan.words if words else None,
        share=words.cut or 0.0 if words else 0.0,
        node=All(plan.phrases) if "phrases" in parts else None,
        among=among,
        without=without,
        everything=words is not None and plan.words is None,
    )


def _of_vectors(plan: Plan) -> list[ListPlan]:
    return [part for part in plan.lists if part.cut is not None and part.vector is not None]
