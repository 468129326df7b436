"""The neutral query tree as Tantivy queries. User text never reaches Tantivy's own parsers."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import tantivy
from cachetools import LRUCache

from hybrid_search.core.ports.lexical_index import PARTIAL
from hybrid_search.core.query_tree import (
    All,
    Any,
    BestOf,
    Binding,
    Boost,
    Constant,
    Filtered,
    MatchedSet,
    Node,
    Phrase,
    PhrasePrefix,
    Prefer,
    Term,
    WordsQuery,
)
from hybrid_search.stores.embedded.lexical.coverage_score import CoverageScore, holding, scored
from hybrid_search.stores.embedded.lexical.field_views import FieldView, field_view
from hybrid_search.stores.embedded.lexical.filter_query import FilterCompiler

Query, Occur = tantivy.Query, tantivy.Occur
_Clauses = list[tuple[tantivy.Occur, tantivy.Query]]
CACHED = 4096
"""Translated queries that are kept."""


class TreeTranslator:
    """Translates trees against one snapshot of the index."""

    def __init__(self, schema: tantivy.Schema, searcher: tantivy.Searcher) -> None:
        self._schema = schema
        self.searcher = searcher
        self._filters = FilterCompiler(schema, searcher)
        self._kept: LRUCache[WordsQuery | Node, CoverageScore | tantivy.Query] = LRUCache(CACHED)
        self._guard = threading.Lock()

    def view(self, name: str, field: str = "") -> FieldView:
        """A view of the text, or of one field's text."""
        return field_view(self._schema, self.searcher, name, field)

    def words(self, query: WordsQuery) -> CoverageScore:
        """The words query, scored so that shares and names can be read from each score."""
        with self._guard:
            known = self._kept.get(query)
        if isinstance(known, CoverageScore):
            return known
        fresh = self._words(query)
        with self._guard:
            self._kept[query] = fresh
        return fresh

    def phrase(self, node: Node) -> tantivy.Query:
        """The node, translated once."""
        with self._guard:
            known = self._kept.get(node)
        if isinstance(known, tantivy.Query):
            return known
        fresh = self.node(node)
        with self._guard:
            self._kept[node] = fresh
        return fresh

    def _words(self, query: WordsQuery) -> CoverageScore:
        words = [self.node(word.node) for word in query.words]
        name = None if query.name is None else self.node(query.name)
        beside, coverage = scored(query, words, name)
        occur = Occur.Must if query.require_all else Occur.Should
        clauses = [*((occur, word) for word in words), *beside]
        if words and not query.require_all:
            either = clauses[0][1] if len(clauses) == 1 else Query.boolean_query(clauses)
            clauses = [(Occur.Must, either)]
        bound = self._bound(query.required, query.excluded)
        return coverage.of(self._joined([*clauses, *bound]))

    def binding(self, binding: Binding) -> tantivy.Query | None:
        """What every list must keep to, without a score; ``None`` for no restriction."""
        parts = self._bound(binding.required, binding.excluded)
        if binding.where is not None:
            parts.append((Occur.Must, _unscored(self._filters.compile(binding.where))))
        return self._joined(parts) if parts else None

    def matches(self, matched: MatchedSet, *, widens: bool) -> tantivy.Query:
        """Every asset of the matched set; ``widens`` has parts of words count as well."""
        bound = self.binding(matched.binding)
        parts = [] if bound is None else [(Occur.Must, bound)]
        if matched.without:
            parts.append((Occur.MustNot, self.among(matched.without)))
        if matched.everything:
            return Query.boolean_query([(Occur.Must, self._filters.every_asset()), *parts])
        either = [(Occur.Should, part) for part in self._any_of(matched, widens)]
        if not either:
            return Query.empty_query()
        return Query.boolean_query([(Occur.Must, Query.boolean_query(either)), *parts])

    def _any_of(self, matched: MatchedSet, widens: bool) -> Iterator[tantivy.Query]:
        if matched.among:
            yield self.among(matched.among)
        if matched.node is not None:
            yield self.phrase(matched.node)
        if matched.words is not None:
            yield self._holding(matched.words.narrow, matched.share)
            if widens:
                yield self._holding(matched.words.wide, matched.share / PARTIAL)

    def _holding(self, query: WordsQuery, share: float) -> tantivy.Query:
        """The matches with at least that share of the information, or with the name."""
        words = [self.node(word.node) for word in query.words]
        least = holding(query, words, share)
        name = [] if query.name is None else [(Occur.Should, self.node(query.name))]
        either = Query.boolean_query([(Occur.Should, least), *name])
        every = self.words(query).query
        return Query.boolean_query([(Occur.Must, every), (Occur.Must, either)])

    def among(self, ordinals: Sequence[int]) -> tantivy.Query:
        """Only these versions, without a score."""
        return _unscored(Query.term_set_query(self._schema, "ordinal", list(ordinals)))

    def node(self, node: Node) -> tantivy.Query:
        """One node with all below it."""
        match node:
            case Term() | Phrase() | PhrasePrefix():
                return self._text(node)
            case Filtered():
                return self._filters.compile(node.where)
            case Constant():
                return Query.const_score_query(self.node(node.node), node.score)
            case Boost():
                return Query.boost_query(self.node(node.node), node.factor)
            case Prefer():
                better = Query.const_score_query(self.node(node.better), node.bonus)
                parts = [(Occur.Must, self.node(node.node)), (Occur.Should, better)]
                return Query.boolean_query(parts)
            case _:
                return self._several(node)

    def _text(self, node: Term | Phrase | PhrasePrefix) -> tantivy.Query:
        view = self.view(node.view, node.field)
        if isinstance(node, Term):
            return view.term(node.text)
        if isinstance(node, Phrase):
            return view.sequence(node.terms, node.slop)
        return view.beginning(node.terms)

    def _several(self, node: All | Any | BestOf) -> tantivy.Query:
        parts = [self.node(part) for part in node.nodes]
        if not parts:
            return Query.empty_query()
        if isinstance(node, BestOf):
            return Query.disjunction_max_query(parts, node.tie_breaker)
        occur = Occur.Must if isinstance(node, All) else Occur.Should
        return Query.boolean_query([(occur, part) for part in parts])

    def _bound(self, required: Sequence[Node], excluded: Sequence[Node]) -> _Clauses:
        parts = [(Occur.Must, self.node(node)) for node in required]
        return parts + [(Occur.MustNot, self.node(node)) for node in excluded]

    def _joined(self, parts: _Clauses) -> tantivy.Query:
        if not parts:
            return Query.empty_query()
        if all(occur == Occur.MustNot for occur, _ in parts):
            # Tantivy finds nothing by exclusions alone.
            parts = [*parts, (Occur.Must, self._filters.every_asset())]
        only = parts[0] if len(parts) == 1 else None
        return only[1] if only and only[0] == Occur.Must else Query.boolean_query(parts)


def _unscored(query: tantivy.Query) -> tantivy.Query:
    return Query.const_score_query(query, 0.0)
