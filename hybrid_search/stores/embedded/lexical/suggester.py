"""Completions and corrections from the index's own term dictionary."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import tantivy

from hybrid_search.analysis.edit_distance import Vocabulary
from hybrid_search.analysis.normalize import normalise
from hybrid_search.analysis.suggestion_keys import beginnings, every_word, suggested_by
from hybrid_search.core.ports.store import Completion

Query, Occur = tantivy.Query, tantivy.Occur
FIELD = "suggest"
TERMS_A_COMPLETION = 4
"""Terms read for each completion wanted: some are spellings of the same text."""


class Suggester:
    """Completions and near words of one snapshot."""

    def __init__(self, schema: tantivy.Schema, searcher: tantivy.Searcher) -> None:
        self._schema = schema
        self._searcher = searcher
        self._vocabulary: Vocabulary | None = None
        self._guard = threading.Lock()

    def complete(self, typed: str, limit: int) -> tuple[Completion, ...]:
        """Names and words that begin as typed, those of most assets first, then by alphabet."""
        for beginning in beginnings(typed):
            if found := self._beginning(beginning, limit):
                return found
        return ()

    def near_words(self, words: Sequence[str], limit: int) -> dict[str, tuple[str, ...]]:
        """Indexed words that are spelled nearly like each of these, likeliest first."""
        with self._guard:
            if self._vocabulary is None:
                self._vocabulary = Vocabulary(dict(self._words()))
        near = {word: self._vocabulary.near(normalise(word).text, limit) for word in words}
        return {word: tuple(others) for word, others in near.items() if others}

    def _beginning(self, beginning: str, limit: int) -> tuple[Completion, ...]:
        terms = self._searcher.terms_with_prefix(FIELD, beginning, limit=limit * TERMS_A_COMPLETION)
        found: dict[str, Completion] = {}
        for term, _ in terms:
            text = suggested_by(term)
            if assets := self._assets(term):
                found.setdefault(normalise(text).text, Completion(text, assets))
        return tuple(sorted(found.values(), key=lambda c: (-c.assets, c.text))[:limit])

    def _assets(self, term: str) -> int:
        """How many assets have the term; the dictionary counts deleted ones as well."""
        asked = Query.term_query(self._schema, FIELD, term, "basic")
        return int(self._searcher.search(asked, 1).count)  # type: ignore[attr-defined]  # missing in the library's stubs

    def _words(self) -> Iterator[tuple[str, int]]:
        for term, count in self._searcher.terms_with_prefix(FIELD, every_word()):
            word = suggested_by(term)
            if " " not in word:
                yield normalise(word).text, count
