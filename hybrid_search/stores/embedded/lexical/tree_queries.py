"""What is asked, as Tantivy queries. User text never reaches Tantivy's own parsers."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import tantivy
from cachetools import LRUCache

from hybrid_search.analysis.analyzer import Analyzer
from hybrid_search.analysis.exact_name import whole_term
from hybrid_search.analysis.facet_key import readings
from hybrid_search.analysis.normalize import normalise
from hybrid_search.analysis.query_parser import Clause, ParsedQuery
from hybrid_search.analysis.query_terms import QueryWord, query_words
from hybrid_search.analysis.surface_tokens import Atom, atoms, phrase_terms
from hybrid_search.analysis.synonyms import Synonyms
from hybrid_search.core import AnyOf, Filter, Ordinal, Prefix
from hybrid_search.core.field_schema import Fields
from hybrid_search.stores.embedded.lexical.coverage_score import Part, Weighed, weigh
from hybrid_search.stores.embedded.lexical.field_views import View, exact_mark, morph_mark
from hybrid_search.stores.embedded.lexical.filter_query import FilterCompiler

Query, Occur = tantivy.Query, tantivy.Occur
_T = TypeVar("_T")
_WHOLE, _SURFACE, _BEGINNING, _INSIDE, _SYNONYM = 1.2, 1.5, 0.3, 0.2, 0.8
"""What the ways to match a word are worth: a compound in one piece, the word as written, a word
that begins with it, a word that holds it, a word that means the same."""
COMPILED = 4096
"""Queries and analysed texts that are kept ready; analysing one costs more than asking it."""
_TIER = 1000.0
"""What the same spacing adds to a phrase: more than BM25 ever gives."""


class QueryCompiler:
    """Builds queries against one snapshot of the index."""

    def __init__(
        self,
        schema: tantivy.Schema,
        searcher: tantivy.Searcher,
        analyzer: Analyzer,
        synonyms: Synonyms,
        fields: Fields,
    ) -> None:
        self._synonyms = synonyms
        self._fields = fields
        self._schema = schema
        self.searcher = searcher
        self._exact = View(schema, searcher, "exact")
        self._morph = View(schema, searcher, "morph")
        self._analyzer = analyzer
        self._filters = FilterCompiler(schema, searcher)
        self._compiled: LRUCache[Hashable, Any] = LRUCache(COMPILED)
        self._analysed: LRUCache[str, tuple[QueryWord, ...]] = LRUCache(COMPILED)
        self._guard = threading.Lock()

    def words(
        self, query: ParsedQuery, *, require_all: bool = False, widen: bool = False
    ) -> Weighed:
        """Assets that match the wanted words and all that binds, scored by how much they hold.

        ``widen`` also looks for words that begin with or hold a wanted one.
        """
        key = (query.clauses, require_all, widen)
        return self._once(key, lambda: self._build_words(query, require_all, widen))

    def phrase(self, phrase: str) -> tantivy.Query:
        """Assets that contain the phrase: written with the same spacing before the rest."""
        return self._once(phrase, lambda: self._build_phrase(phrase))

    def _once(self, key: Hashable, build: Callable[[], _T]) -> _T:
        """The query, built anew only when it is not among the last ones."""
        asked = (key, self._synonyms.version)
        with self._guard:
            known: _T | None = self._compiled.get(asked)
        if known is None:
            known = build()
            with self._guard:
                self._compiled[asked] = known
        return known

    def _build_words(self, query: ParsedQuery, require_all: bool, widen: bool) -> Weighed:
        wanted = [
            part
            for clause in query.clauses
            if clause.occur == "should" and clause.field is None
            for part in self._clause(clause, widen)
        ]
        bound, whole = self._bound_information(query), self._whole(query)
        beside, weighed = weigh(wanted, bound, whole, shares=not require_all)
        occur = Occur.Must if require_all else Occur.Should
        clauses = [*((occur, part.query) for part in wanted), *beside]
        if wanted and not require_all:
            either = clauses[0][1] if len(clauses) == 1 else Query.boolean_query(clauses)
            clauses = [(Occur.Must, either)]
        return replace(weighed, asked=self._joined([*clauses, *self._binding(query)]))

    def _bound_information(self, query: ParsedQuery) -> list[float]:
        """That of the words which every match holds."""
        return [
            part.information
            for clause in query.clauses
            if clause.occur == "must" and clause.field is None
            for part in self._clause(clause, False)
        ]

    def _whole(self, query: ParsedQuery) -> tantivy.Query | None:
        """Assets of which a name is what was asked, where there are any."""
        plain = all(c.occur == "should" and c.field is None for c in query.clauses)
        term = whole_term(query.meaning) if plain else ""
        if not term or not self.searcher.doc_freq("whole", term):
            return None
        return Query.term_query(self._schema, "whole", term, "basic")

    def _build_phrase(self, phrase: str) -> tantivy.Query:
        wanted = self._atoms(phrase)
        same = self.exact(wanted)
        if not any(atom.kind == "hangul" for atom in wanted):
            # Only Hangul is written with spaces or without: elsewhere both are one.
            return same
        upper = (Occur.Should, Query.const_score_query(same, _TIER))
        return Query.boolean_query([(Occur.Must, self.exact(wanted, loose=True)), upper])

    def binding(self, query: ParsedQuery | None, where: Filter | None) -> tantivy.Query | None:
        """What every list must keep to, without a score; ``None`` for no restriction."""
        parts = [] if query is None else self._binding(query)
        if where is not None:
            parts.append((Occur.Must, self._silent(self._filters.compile(where))))
        return self._joined(parts) if parts else None

    def matches(
        self, query: ParsedQuery, where: Filter | None, also: Sequence[Ordinal]
    ) -> tantivy.Query:
        """Every asset that matches the words or is among ``also``, within all that binds."""
        either = [self.among(also)] if also else []
        if query.clauses:
            either.append(self.words(query).asked)
        binding = self.binding(query, where) or self._filters.every_asset()
        if not either:
            return binding
        any_of = Query.boolean_query([(Occur.Should, part) for part in either])
        return Query.boolean_query([(Occur.Must, any_of), (Occur.Must, binding)])

    def among(self, ordinals: Sequence[Ordinal]) -> tantivy.Query:
        """Only these versions, without a score."""
        return self._silent(Query.term_set_query(self._schema, "ordinal", list(ordinals)))

    def facet_term(self, term: str) -> tantivy.Query:
        """The assets that have this filter term."""
        return Query.term_query(self._schema, "facets", term, "basic")

    def exact(self, wanted: Sequence[Atom], *, loose: bool = False) -> tantivy.Query:
        """Assets that hold these atoms one after the other."""
        return self._exact.sequence(phrase_terms(list(wanted), loose=loose))

    def _binding(self, query: ParsedQuery) -> list[tuple[tantivy.Occur, tantivy.Query]]:
        parts = []
        for clause in query.clauses:
            if clause.occur == "should" and clause.field is None:
                continue
            occur = Occur.MustNot if clause.occur == "not" else Occur.Must
            parts.append((occur, self._bound(clause)))
        return parts

    def _bound(self, clause: Clause) -> tantivy.Query:
        if clause.field is not None:
            return self._silent(self._in_field(clause, clause.field))
        if clause.kind == "phrase" and not clause.slop:
            return Query.const_score_query(self.exact(self._atoms(clause.text), loose=True), 1.0)
        parts = self._clause(clause, False)
        return Query.boolean_query([(Occur.Must, part.query) for part in parts])

    def _in_field(self, clause: Clause, field: str) -> tantivy.Query:
        """The field's words, or its whole value where it is no running text."""
        if not self._fields.matches_words(field):
            whole = Prefix(field, clause.text) if clause.kind == "prefix" else None
            return self._filters.compile(whole or AnyOf(field, readings(clause.text)))
        exact = View(self._schema, self.searcher, "within", exact_mark(field))
        morph = View(self._schema, self.searcher, "within", morph_mark(field))
        wanted = self._atoms(clause.text)
        if clause.kind == "prefix" and wanted:
            return exact.beginning(phrase_terms(wanted, loose=True, open_end=True))
        if clause.slop:
            return self._near(clause, morph)
        surface = exact.sequence(phrase_terms(wanted, loose=True))
        words = self._words_of(clause.text)
        lemmas = [part for word in words for part in word.parts]
        if clause.kind == "phrase" or not lemmas or any(word.has_symbols for word in words):
            return surface
        ways = [(Occur.Should, surface), (Occur.Should, morph.all_of(lemmas))]
        return Query.boolean_query(ways)

    def _clause(self, clause: Clause, widen: bool) -> Iterator[Part]:
        wanted = self._atoms(clause.text)
        if not wanted:
            return
        if clause.kind == "prefix":
            terms = phrase_terms(wanted, loose=True, open_end=True)
            yield Part(Query.const_score_query(self._exact.beginning(terms), 1.0), 1.0, 1.0)
            return
        yield from self._words(clause.text, widen)
        if clause.kind == "phrase":
            apart = bool(clause.slop)
            near = self._near(clause, self._morph) if apart else self.exact(wanted, loose=True)
            yield Part(Query.const_score_query(near, _SURFACE), 0.0, _SURFACE)

    def _near(self, clause: Clause, morph: View) -> tantivy.Query:
        """The words of the phrase within its slop."""
        lemmas = [part for word in self._words_of(clause.text) for part in word.parts]
        return morph.sequence(lemmas, clause.slop)

    def _words(self, text: str, widen: bool) -> Iterator[Part]:
        """One part a word, which its synonyms match as well."""
        for word in self._words_of(text):
            asked = self._word(word, widen)
            others = self._synonyms.of(word.text) or self._synonyms.of(word.lemma)
            ways = [Query.boost_query(self._every_word(other), _SYNONYM) for other in others]
            whole = Query.disjunction_max_query([asked, *ways], 0.1) if ways else asked
            terms = [word, *(each for other in others for each in self._words_of(other))]
            yield Part(whole, self._information(word), sum(map(self._ceiling, terms)))

    def _information(self, word: QueryWord) -> float:
        """The idf of its rarest part, for a compound is found by all of them together."""
        if word.has_symbols or not word.parts:
            return max(map(self._exact.idf, phrase_terms(list(word.atoms), loose=True)))
        return max(map(self._morph.idf, word.parts))

    def _ceiling(self, word: QueryWord) -> float:
        """More than BM25 gives for the word: a term at most (k1 + 1) times its idf."""
        idfs = map(self._morph.idf, (*word.parts, *word.wholes))
        return 3.0 * math.fsum(idfs) + 2 * _SURFACE + 1.0

    def _every_word(self, text: str) -> tantivy.Query:
        """All words of a synonym, which has no synonyms of its own."""
        parts = [(Occur.Must, self._word(word, False)) for word in self._words_of(text)]
        return Query.boolean_query(parts)

    def _words_of(self, text: str) -> tuple[QueryWord, ...]:
        """The text's words, analysed once for all the ways in which they are asked for."""
        with self._guard:
            known: tuple[QueryWord, ...] | None = self._analysed.get(text)
        if known is None:
            known = query_words(text, self._analyzer)
            with self._guard:
                self._analysed[text] = known
        return known

    def _word(self, word: QueryWord, widen: bool) -> tantivy.Query:
        own = word.atoms
        if word.has_symbols or not word.parts:
            return Query.const_score_query(self.exact(own, loose=True), _SURFACE * 2)
        ways = [self._morph.all_of(word.parts)]
        ways += [Query.boost_query(self._morph.term(whole), _WHOLE) for whole in word.wholes]
        unknown = not all(self._morph.knows(part) for part in word.parts)
        if len(word.parts) > 1 or unknown or widen:
            ways.append(Query.const_score_query(self.exact(own, loose=True), _SURFACE))
        if (unknown or widen) and len(own) > 1 and all(atom.kind == "hangul" for atom in own):
            ways += self._parts_of_words(own)
        return ways[0] if len(ways) == 1 else Query.disjunction_max_query(ways, 0.1)

    def _parts_of_words(self, own: Sequence[Atom]) -> list[tantivy.Query]:
        terms = phrase_terms(list(own), open_end=True)
        inside = [own[0].text, *terms[1:]]
        return [
            Query.const_score_query(self._exact.sequence(terms), _BEGINNING),
            Query.const_score_query(self._exact.sequence(inside), _INSIDE),
        ]

    def _atoms(self, text: str) -> list[Atom]:
        return atoms(normalise(text).text)

    def _joined(self, parts: list[tuple[tantivy.Occur, tantivy.Query]]) -> tantivy.Query:
        if not parts:
            return Query.empty_query()
        if all(occur == Occur.MustNot for occur, _ in parts):
            # Tantivy finds nothing by exclusions alone.
            parts = [*parts, (Occur.Must, self._filters.every_asset())]
        only = parts[0] if len(parts) == 1 else None
        return only[1] if only and only[0] == Occur.Must else Query.boolean_query(parts)

    @staticmethod
    def _silent(query: tantivy.Query) -> tantivy.Query:
        return Query.const_score_query(query, 0.0)
