"""Completions and corrections from the index's own term dictionary."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import tantivy
from cachetools import LRUCache

from hybrid_search.analysis.edit_distance import Vocabulary
from hybrid_search.analysis.normalize import normalise
from hybrid_search.analysis.query_parser import ParsedQuery, corrected, plain_words
from hybrid_search.analysis.suggestion_keys import beginnings, every_word, suggested_by
from hybrid_search.core.ports import Completion

Query, Occur = tantivy.Query, tantivy.Occur
FIELD = "suggest"
MAX_CORRECTED = 8
"""Words of a query that are checked for being known."""
LOOKED_AT = 4
"""Terms looked at for each completion wanted: some stand for the same in another spelling."""


class Suggestions:
    """What one snapshot of the index suggests."""

    def __init__(self, schema: tantivy.Schema, searcher: tantivy.Searcher) -> None:
        self._schema = schema
        self._searcher = searcher
        self._vocabulary: Vocabulary | None = None
        self._known: LRUCache[str, bool] = LRUCache(10_000)
        self._guard = threading.Lock()

    def complete(self, typed: str, limit: int) -> tuple[Completion, ...]:
        """Names and words that begin as typed, those of most assets first, then by alphabet."""
        for beginning in beginnings(typed):
            if found := self._beginning(beginning, limit):
                return found
        return ()

    def corrections(
        self, query: ParsedQuery, is_known: Callable[[str], bool], limit: int
    ) -> tuple[str, ...]:
        """The query with the words that are not known replaced by near ones."""
        words = plain_words(query)[:MAX_CORRECTED]
        unknown = [word for word in words if not self._asked(word, is_known)]
        if not unknown:
            return ()
        if self._vocabulary is None:
            self._vocabulary = Vocabulary(dict(self._words()))
        near = {word: self._vocabulary.near(normalise(word).text, limit) for word in unknown}
        return corrected(query, {word: others for word, others in near.items() if others}, limit)

    def _asked(self, word: str, is_known: Callable[[str], bool]) -> bool:
        """Whether the word is known, asked once a snapshot."""
        with self._guard:
            known: bool | None = self._known.get(word)
        if known is None:
            known = is_known(word)
            with self._guard:
                self._known[word] = known
        return known

    def _beginning(self, beginning: str, limit: int) -> tuple[Completion, ...]:
        terms = self._searcher.terms_with_prefix(FIELD, beginning, limit=limit * LOOKED_AT)
        found: dict[str, Completion] = {}
        for term, _ in terms:
            text = suggested_by(term)
            if holders := self._holders(term):
                found.setdefault(normalise(text).text, Completion(text, holders))
        return tuple(sorted(found.values(), key=lambda c: (-c.assets, c.text))[:limit])

    def _holders(self, term: str) -> int:
        """How many assets hold it; the dictionary counts deleted ones as well."""
        asked = Query.term_query(self._schema, FIELD, term, "basic")
        return int(self._searcher.search(asked, 1).count)  # type: ignore[attr-defined]  # missing in the library's stubs

    def _words(self) -> Iterator[tuple[str, int]]:
        for term, count in self._searcher.terms_with_prefix(FIELD, every_word()):
            word = suggested_by(term)
            if " " not in word:
                yield normalise(word).text, count
