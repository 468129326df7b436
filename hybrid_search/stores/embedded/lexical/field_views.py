"""The views of the copy that are indexed: terms one after the other, asked of one snapshot.

``exact`` holds surface atoms with marks at the edges of words, ``morph`` lemmas and compounds.
``within`` holds both once more for every field that is searched by name, behind a mark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import tantivy

Query, Occur = tantivy.Query, tantivy.Occur
_EXPANSIONS = 1000
"""Words that a beginning stands for, the most frequent first."""


def exact_mark(field: str) -> str:
    """What stands before the surface atoms of that field in ``within``."""
    return f"{field}\x1fx"


def morph_mark(field: str) -> str:
    """What stands before the lemmas of that field in ``within``."""
    return f"{field}\x1fm"


class View:
    """One view of the copy, or the part of it that has a mark."""

    def __init__(
        self, schema: tantivy.Schema, searcher: tantivy.Searcher, name: str, mark: str = ""
    ) -> None:
        self._schema = schema
        self._searcher = searcher
        self._name = name
        self._mark = mark

    def term(self, term: str) -> tantivy.Query:
        """Assets that hold the term."""
        return Query.term_query(self._schema, self._name, self._mark + term)

    def all_of(self, terms: Sequence[str]) -> tantivy.Query:
        """Assets that hold every one of the terms, of which there are some."""
        if len(terms) == 1:
            return self.term(terms[0])
        return Query.boolean_query([(Occur.Must, self.term(term)) for term in terms])

    def sequence(self, terms: Sequence[str], slop: int = 0) -> tantivy.Query:
        """Assets that hold the terms one after the other; none for no terms."""
        # Tantivy's own phrase panics on fewer than two terms.
        if len(terms) < 2:
            return self.term(terms[0]) if terms else Query.empty_query()
        marked = [self._mark + term for term in terms]
        return Query.phrase_query(self._schema, self._name, [*marked], slop)

    def beginning(self, terms: Sequence[str]) -> tantivy.Query:
        """Assets that hold the terms one after the other, of which the last may go on."""
        marked = [self._mark + term for term in terms]
        if len(marked) > 1:
            return Query.phrase_prefix_query(self._schema, self._name, [*marked])
        known = self._searcher.terms_with_prefix(self._name, marked[0], limit=_EXPANSIONS)
        return Query.term_set_query(self._schema, self._name, [term for term, _ in known])

    def idf(self, term: str) -> float:
        """The term's inverse document frequency, as BM25 has it, in nats."""
        held = self._searcher.doc_freq(self._name, self._mark + term)
        return math.log1p((self._searcher.num_docs - held + 0.5) / (held + 0.5))

    def knows(self, term: str) -> bool:
        """Whether any asset holds the term."""
        return self._searcher.doc_freq(self._name, self._mark + term) > 0
