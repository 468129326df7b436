"""What one search of the inverted index sees: one commit, from begin to end."""

from __future__ import annotations

import threading
from collections.abc import Collection, Hashable, Sequence

import numpy as np
import tantivy
from cachetools import LRUCache

from hybrid_search.core import Filter, Ordinal
from hybrid_search.core.arrays import Ordinals
from hybrid_search.core.ports.lexical_index import FacetBuckets, LexicalMatches
from hybrid_search.core.ports.store import Completion
from hybrid_search.core.query_tree import (
    WIDEN_BELOW,
    Binding,
    MatchedSet,
    Node,
    Term,
    TermStatistics,
    Words,
    WordsQuery,
)
from hybrid_search.stores.embedded.lexical.collector import best_matches, ordinals_at
from hybrid_search.stores.embedded.lexical.facets import count, count_values
from hybrid_search.stores.embedded.lexical.suggester import Suggester
from hybrid_search.stores.embedded.lexical.translate_errors import translated
from hybrid_search.stores.embedded.lexical.tree_queries import TreeTranslator

MAX_LIMIT = 10_000
MAX_TYPED = 100
"""Characters that are completed."""
_CACHED_FILTERS = 64
_CACHED_WORDS = 1024


class TantivySnapshot:
    """A ``LexicalSnapshot``. Safe to use from several threads."""

    def __init__(self, schema: tantivy.Schema, searcher: tantivy.Searcher) -> None:
        self.token: Hashable = object()
        self._schema = schema
        self._searcher = searcher
        self._translator = TreeTranslator(schema, searcher)
        self._suggester = Suggester(schema, searcher)
        self._allowed: LRUCache[str, Ordinals] = LRUCache(_CACHED_FILTERS)
        self._widened: LRUCache[Words, bool] = LRUCache(_CACHED_WORDS)
        self._guard = threading.Lock()
        self.watermark = self._read_watermark()

    def statistics(self, terms: Collection[Term]) -> TermStatistics:
        views = {key: self._translator.view(*key) for key in {(t.view, t.field) for t in terms}}
        counts = {term: views[term.view, term.field].frequency(term.text) for term in terms}
        return TermStatistics(self._searcher.num_docs, counts)

    def words(
        self,
        query: Words,
        limit: int,
        where: Filter | None = None,
        among: Sequence[Ordinal] | None = None,
    ) -> LexicalMatches:
        with translated():
            found = self._read(query.narrow, limit, where, among)
            whole = where is None and among is None
            if found.total >= WIDEN_BELOW or not (whole or self._widens(query)):
                return found
            return found.extended(self._read(query.wide, limit, where, among), limit)

    def phrase(
        self,
        phrase: Node,
        limit: int,
        binding: Binding | None = None,
        among: Sequence[Ordinal] | None = None,
    ) -> LexicalMatches:
        with translated():
            return self._run(self._translator.phrase(phrase), limit, binding, among)

    def allowed(self, binding: Binding) -> Ordinals | None:
        if not binding:
            return None
        # As text: 1, 1.0 and True are equal keys and different filters.
        key = repr(binding)
        with self._guard:
            if (known := self._allowed.get(key)) is not None:
                return known
        with translated():
            query = self._translator.binding(binding) or tantivy.Query.empty_query()
            ordinals = self._ordinals(query)
        with self._guard:
            self._allowed[key] = ordinals
        return ordinals

    def matching(self, matched: MatchedSet) -> int:
        with translated():
            return count(self._searcher, self._matches(matched))

    def members(self, matched: MatchedSet, wanted: Sequence[Ordinal]) -> set[Ordinal]:
        with translated():
            found = self._run(self._matches(matched), len(wanted), None, wanted)
        return set(found.ordinals)

    def facet(self, field: str, matched: MatchedSet, limit: int) -> FacetBuckets:
        with translated():
            matches = self._matches(matched)
            return count_values(self._schema, self._searcher, field, matches, limit)

    def complete(self, typed: str, limit: int) -> tuple[Completion, ...]:
        with translated():
            return self._suggester.complete(typed[:MAX_TYPED], limit)

    def near_words(self, words: Sequence[str], limit: int) -> dict[str, tuple[str, ...]]:
        with translated():
            return self._suggester.near_words(words, limit)

    def ordinals(self) -> Ordinals:
        mark = tantivy.Query.term_query(self._schema, "watermark", "at", "basic")
        assets = [(tantivy.Occur.Must, tantivy.Query.all_query()), (tantivy.Occur.MustNot, mark)]
        with translated():
            return self._ordinals(tantivy.Query.boolean_query(assets))

    @property
    def commit(self) -> tuple[int, int, int]:
        """Differs between two commits of one index."""
        return self.watermark, int(self._searcher.num_docs), int(self._searcher.num_segments)

    def count(self) -> int:
        return int(self._searcher.num_docs) - (self.watermark > 0)

    def _matches(self, matched: MatchedSet) -> tantivy.Query:
        widens = matched.words is not None and self._widens(matched.words)
        return self._translator.matches(matched, widens=widens)

    def _widens(self, query: Words) -> bool:
        """Whether so few assets match that parts of words count, whatever the filter."""
        with self._guard:
            known = self._widened.get(query)
        if known is None:
            found = count(self._searcher, self._translator.words(query.narrow).query)
            known = found < WIDEN_BELOW
            with self._guard:
                self._widened[query] = known
        return known

    def _read(
        self,
        query: WordsQuery,
        limit: int,
        where: Filter | None,
        among: Sequence[Ordinal] | None,
    ) -> LexicalMatches:
        coverage = self._translator.words(query)
        return coverage.read(self._run(coverage.query, limit, Binding(where=where), among))

    def _run(
        self,
        query: tantivy.Query,
        limit: int,
        binding: Binding | None,
        among: Sequence[Ordinal] | None,
    ) -> LexicalMatches:
        if limit < 1 or (among is not None and not among):
            return LexicalMatches((), (), 0)
        parts = [(tantivy.Occur.Must, query)]
        if (restriction := self._translator.binding(binding or Binding())) is not None:
            parts.append((tantivy.Occur.Must, restriction))
        if among is not None:
            parts.append((tantivy.Occur.Must, self._translator.among(among)))
        joined = query if len(parts) == 1 else tantivy.Query.boolean_query(parts)
        return best_matches(self._searcher, joined, min(limit, MAX_LIMIT))

    def _ordinals(self, query: tantivy.Query) -> Ordinals:
        found = self._searcher.search(query, max(1, self._searcher.num_docs), count=False)
        return np.sort(np.array(ordinals_at(self._searcher, found.hits), np.int64))

    def _read_watermark(self) -> int:
        mark = tantivy.Query.term_query(self._schema, "watermark", "at", "basic")
        hits = self._searcher.search(mark, 1).hits
        return int(self._searcher.doc(hits[0][1])["watermark"][1]) if hits else 0
