"""Filters as Tantivy queries over one raw field of ``name, type, value`` terms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import tantivy

from hybrid_search.analysis.facet_key import facet_key
from hybrid_search.analysis.normalize import normalise
from hybrid_search.core import (
    AllOf,
    AnyOf,
    AttributeValue,
    Between,
    Exists,
    Filter,
    Not,
    OneOf,
    Prefix,
)
from hybrid_search.core.errors import InvalidQuery

Query, Occur = tantivy.Query, tantivy.Occur
EVERY_ASSET = "\x1f"
"""A term that every asset has, and the watermark has not."""
MAX_VALUES = 100_000
"""Distinct values of a field that a range or a prefix looks through."""


def facet_terms(values: Iterable[tuple[str, AttributeValue]]) -> Iterator[str]:
    """The terms that an asset with these values of its fields is found by."""
    yield EVERY_ASSET
    for field, value in values:
        yield has_value(field)
        for single in value if isinstance(value, tuple) else (value,):
            yield facet_term(field, single)


def facet_term(field: str, value: str | float | bool) -> str:
    """One term: 9900 meets 9900.0, ``Nike`` meets ``NIKE``, and 1 is neither ``"1"`` nor true."""
    return facet_values_begin(field) + facet_key(value)


def facet_values_begin(field: str) -> str:
    """What every term of the field begins with."""
    return f"{field}\x1f"


def is_value(field: str, term: str) -> bool:
    """Whether the term holds a value, not only that there is one."""
    return term != has_value(field)


def has_value(field: str) -> str:
    """The term of an asset with any value of the field."""
    return f"{field}\x1fe"


class FilterCompiler:
    """Builds filters against one snapshot of the index."""

    def __init__(self, schema: tantivy.Schema, searcher: tantivy.Searcher) -> None:
        self._schema = schema
        self._searcher = searcher

    def compile(self, where: Filter) -> tantivy.Query:
        """The assets that the filter matches."""
        if isinstance(where, AllOf):
            parts = [(Occur.Must, self.compile(part)) for part in where.filters]
            return Query.boolean_query([*parts, (Occur.Must, self.every_asset())])
        if isinstance(where, OneOf):
            return self._any([self.compile(part) for part in where.filters])
        if isinstance(where, Not):
            excluded = (Occur.MustNot, self.compile(where.filter))
            return Query.boolean_query([excluded, (Occur.Must, self.every_asset())])
        return self._leaf(where)

    def every_asset(self) -> tantivy.Query:
        """All assets, without a score."""
        return Query.const_score_query(self._term(EVERY_ASSET), 0.0)

    def _leaf(self, where: AnyOf | Between | Prefix | Exists) -> tantivy.Query:
        if isinstance(where, AnyOf):
            return self._any([self._term(facet_term(where.field, v)) for v in where.values])
        if isinstance(where, Exists):
            return self._term(has_value(where.field))
        if isinstance(where, Prefix):
            start = facet_term(where.field, where.value)
            return self._among(where.field, start, lambda term: True)
        return self._between(where)

    def _between(self, where: Between) -> tantivy.Query:
        numeric = any(isinstance(bound, int | float) for bound in (where.low, where.high))
        low = where.low if numeric or where.low is None else normalise(str(where.low)).text
        high = where.high if numeric or where.high is None else normalise(str(where.high)).text

        def inside(term: str) -> bool:
            value = float(term) if numeric else term
            return (low is None or value >= low) and (high is None or value <= high)  # type: ignore[operator]  # both are numbers or both texts

        return self._among(where.field, f"{where.field}\x1f{'n' if numeric else 's'}", inside)

    def _among(self, field: str, start: str, keep: Callable[[str], bool]) -> tantivy.Query:
        """Assets that hold any of the field's terms beginning with ``start`` that are kept."""
        found = self._searcher.terms_with_prefix("facets", start, limit=MAX_VALUES + 1)
        terms = [term for term, _ in found]
        if len(terms) > MAX_VALUES:
            raise InvalidQuery(f"filter: {field} has more than {MAX_VALUES:,} values, the limit")
        skip = len(field) + 2
        kept = [term for term in terms if keep(term[skip:])]
        return Query.term_set_query(self._schema, "facets", kept) if kept else Query.empty_query()

    def _term(self, term: str) -> tantivy.Query:
        return Query.term_query(self._schema, "facets", term, "basic")

    @staticmethod
    def _any(parts: list[tantivy.Query]) -> tantivy.Query:
        if not parts:
            return Query.empty_query()
        return Query.boolean_query([(Occur.Should, part) for part in parts])
