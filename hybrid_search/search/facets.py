"""The values of fields over all assets that a query matches, counted."""

from __future__ import annotations

from hybrid_search.core import FacetValue, Query
from hybrid_search.core.ports.store import View
from hybrid_search.search.retriever import Retrieval

FACET_VALUES = 50
"""Values that a facet shows."""


def facets_of(view: View, query: Query, found: Retrieval) -> dict[str, tuple[FacetValue, ...]]:
    """For each field asked for, its values over all matches, as the assets spell them.

    A match is an asset with any of the words, in the window or not, or a candidate of any list;
    without words and pictures, every asset that the filter matches.
    """
    if not query.facets:
        return {}
    asked = found.parsed.clauses or query.examples
    also = found.candidates.arrivals.tolist() if asked else []
    return view.facets(found.plan, also, query.facets, FACET_VALUES)
