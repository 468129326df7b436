"""The indexed views of an asset's text, searched in one snapshot.

The Tantivy field ``exact`` holds surface atoms with marks at the edges of words, ``morph`` lemmas
and compounds, ``whole`` names. ``within`` holds the first two once more for every field that can be
searched by name, each term behind a mark.
"""

from __future__ import annotations

from collections.abc import Sequence

import tantivy

Query, Occur = tantivy.Query, tantivy.Occur
_EXPANSIONS = 1000
"""Words that a prefix stands for, the most frequent first."""
_FIELDS = {"surface": "exact", "lemmas": "morph", "names": "whole"}
"""The Tantivy field of each view."""


def exact_mark(field: str) -> str:
    """The mark before the surface atoms of that field in ``within``."""
    return f"{field}\x1fx"


def morph_mark(field: str) -> str:
    """The mark before the lemmas of that field in ``within``."""
    return f"{field}\x1fm"


def field_view(
    schema: tantivy.Schema, searcher: tantivy.Searcher, name: str, field: str = ""
) -> FieldView:
    """The view of that name, or the part of it that one field fills."""
    if not field:
        return FieldView(schema, searcher, _FIELDS[name])
    mark = exact_mark(field) if name == "surface" else morph_mark(field)
    return FieldView(schema, searcher, "within", mark)


class FieldView:
    """One Tantivy field, or its terms with one mark."""

    def __init__(
        self, schema: tantivy.Schema, searcher: tantivy.Searcher, name: str, mark: str = ""
    ) -> None:
        self._schema = schema
        self._searcher = searcher
        self._name = name
        self._mark = mark

    def term(self, term: str) -> tantivy.Query:
        """Assets with the term."""
        if self._name == "whole":
            return Query.term_query(self._schema, self._name, term, "basic")
        return Query.term_query(self._schema, self._name, self._mark + term)

    def sequence(self, terms: Sequence[str], slop: int = 0) -> tantivy.Query:
        """Assets with the terms one after the other; none for no terms."""
        # Tantivy's own phrase panics on fewer than two terms.
        if len(terms) < 2:
            return self.term(terms[0]) if terms else Query.empty_query()
        marked = [self._mark + term for term in terms]
        return Query.phrase_query(self._schema, self._name, [*marked], slop)

    def beginning(self, terms: Sequence[str]) -> tantivy.Query:
        """Assets with the terms one after the other, the last of which may go on."""
        marked = [self._mark + term for term in terms]
        if len(marked) > 1:
            return Query.phrase_prefix_query(self._schema, self._name, [*marked])
        known = self._searcher.terms_with_prefix(self._name, marked[0], limit=_EXPANSIONS)
        return Query.term_set_query(self._schema, self._name, [term for term, _ in known])

    def frequency(self, term: str) -> int:
        """How many assets have the term."""
        return int(self._searcher.doc_freq(self._name, self._mark + term))
