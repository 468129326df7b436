"""Counts of a field's values over the matches of a query."""

from __future__ import annotations

import tantivy

from hybrid_search.core import Ordinal
from hybrid_search.core.ports.lexical_index import FacetBucket
from hybrid_search.stores.embedded.lexical.filter_query import facet_values_begin, is_value

Query, Occur = tantivy.Query, tantivy.Occur


def count_values(
    schema: tantivy.Schema,
    searcher: tantivy.Searcher,
    field: str,
    matches: tantivy.Query,
    limit: int,
) -> tuple[FacetBucket, ...]:
    """The field's values among the matches, those of most assets first."""
    beginning = facet_values_begin(field)
    # One more than wanted: the term that says the field has any value is among them.
    found = searcher.terms_with_prefix("facets", beginning, matches, limit + 1)
    values = [(term, count) for term, count in found if count and is_value(field, term)]
    return tuple(
        FacetBucket(_example(schema, searcher, matches, term), term[len(beginning) :], count)
        for term, count in values[:limit]
    )


def _example(
    schema: tantivy.Schema, searcher: tantivy.Searcher, matches: tantivy.Query, term: str
) -> Ordinal:
    with_value = Query.term_query(schema, "facets", term, "basic")
    both = Query.boolean_query([(Occur.Must, matches), (Occur.Must, with_value)])
    # Without scores the first in the index is taken, whatever else the query asks for.
    hits = searcher.search(Query.const_score_query(both, 0.0), 1, count=False).hits
    (ordinal,) = searcher.fast_field_values("ordinal", [hits[0][1]])
    return Ordinal(int(ordinal or 0))
