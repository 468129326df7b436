"""Counts of a field's values over the matches of a query."""

from __future__ import annotations

import tantivy

from hybrid_search.core import Ordinal
from hybrid_search.core.ports import FacetBucket
from hybrid_search.stores.embedded.lexical.filter_query import facet_values_begin, is_value
from hybrid_search.stores.embedded.lexical.tree_queries import QueryCompiler

Query, Occur = tantivy.Query, tantivy.Occur


def count_values(
    compiler: QueryCompiler, field: str, matches: tantivy.Query, limit: int
) -> tuple[FacetBucket, ...]:
    """The field's values among the matches, those of most assets first."""
    beginning = facet_values_begin(field)
    # One more than wanted: the term that says the field has any value is among them.
    found = compiler.searcher.terms_with_prefix("facets", beginning, matches, limit + 1)
    values = [(term, count) for term, count in found if count and is_value(field, term)]
    return tuple(
        FacetBucket(_example(compiler, matches, term), term[len(beginning) :], count)
        for term, count in values[:limit]
    )


def _example(compiler: QueryCompiler, matches: tantivy.Query, term: str) -> Ordinal:
    searcher = compiler.searcher
    holding = [(Occur.Must, matches), (Occur.Must, compiler.facet_term(term))]
    # Without scores the first in the index is taken, whatever else the query asks for.
    asked = Query.const_score_query(Query.boolean_query(holding), 0.0)
    hits = searcher.search(asked, 1, count=False).hits
    (ordinal,) = searcher.fast_field_values("ordinal", [hits[0][1]])
    return Ordinal(int(ordinal or 0))
