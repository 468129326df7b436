"""Counts of a field's values over the matches of a query."""

from __future__ import annotations

import tantivy

from hybrid_search.core import Ordinal
from hybrid_search.core.ports.lexical_index import FacetBucket, FacetBuckets
from hybrid_search.stores.embedded.lexical.filter_query import (
    facet_values_begin,
    has_value,
    is_value,
)

Query, Occur = tantivy.Query, tantivy.Occur


def count(searcher: tantivy.Searcher, matches: tantivy.Query) -> int:
    """How many assets match."""
    found = searcher.search(Query.const_score_query(matches, 0.0), 1)
    return int(found.count)  # type: ignore[attr-defined]  # missing in the library's stubs


def count_values(
    schema: tantivy.Schema,
    searcher: tantivy.Searcher,
    field: str,
    matches: tantivy.Query,
    limit: int,
) -> FacetBuckets:
    """The field's values among the matches, those of most assets first."""
    beginning = facet_values_begin(field)
    # One more than wanted: the term that says the field has any value is among them.
    found = searcher.terms_with_prefix("facets", beginning, matches, limit + 1)
    values = [(term, held) for term, held in found if held and is_value(field, term)][:limit]
    having = Query.term_query(schema, "facets", has_value(field), "basic")
    listed = [
        (Occur.Should, Query.term_query(schema, "facets", term, "basic")) for term, _ in values
    ]
    return FacetBuckets(
        tuple(
            FacetBucket(_example(schema, searcher, matches, term), term[len(beginning) :], held)
            for term, held in values
        ),
        count(searcher, _both(matches, having)),
        count(searcher, _both(matches, Query.boolean_query(listed))) if listed else 0,
    )


def _both(one: tantivy.Query, other: tantivy.Query) -> tantivy.Query:
    return Query.boolean_query([(Occur.Must, one), (Occur.Must, other)])


def _example(
    schema: tantivy.Schema, searcher: tantivy.Searcher, matches: tantivy.Query, term: str
) -> Ordinal:
    with_value = Query.term_query(schema, "facets", term, "basic")
    both = _both(matches, with_value)
    # Without scores the first in the index is taken, whatever else the query asks for.
    hits = searcher.search(Query.const_score_query(both, 0.0), 1, count=False).hits
    (ordinal,) = searcher.fast_field_values("ordinal", [hits[0][1]])
    return Ordinal(int(ordinal or 0))
