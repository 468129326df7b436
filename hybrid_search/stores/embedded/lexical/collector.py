"""Matches of a Tantivy query in a total order: by score, then by ordinal."""

from __future__ import annotations

import tantivy

from hybrid_search.core import Ordinal
from hybrid_search.core.ports.lexical_index import LexicalMatches

TIE_SLACK = 16
"""Hits requested beyond the limit, so that ties at the cut are broken by ordinal."""


def best_matches(searcher: tantivy.Searcher, asked: tantivy.Query, limit: int) -> LexicalMatches:
    """The best matches; equal scores in order of ordinal, at the cut too.

    Tantivy breaks ties by where a document is stored. So a few more hits are requested, and twice
    as many as long as the last of them still ties with the cut.
    """
    reach = limit + TIE_SLACK
    while True:
        result = searcher.search(asked, reach)
        hits = result.hits
        if len(hits) < reach or hits[-1][0] < hits[limit - 1][0]:
            break
        reach *= 2
    if len(hits) > limit:
        cut = hits[limit - 1][0]
        hits = [hit for hit in hits if hit[0] >= cut]
    best = sorted(zip([-score for score, _ in hits], ordinals_at(searcher, hits), strict=True))
    total: int = result.count  # type: ignore[attr-defined]  # missing in the library's stubs
    ordinals = tuple([Ordinal(ordinal) for _, ordinal in best[:limit]])
    return LexicalMatches(ordinals, tuple([-score for score, _ in best[:limit]]), total)


def ordinals_at(
    searcher: tantivy.Searcher, hits: list[tuple[float, tantivy.DocAddress]]
) -> list[int]:
    """The ordinals of the hits, in their order."""
    addresses = [address for _, address in hits]
    return searcher.fast_field_values("ordinal", addresses)  # type: ignore[return-value]  # every asset has one
