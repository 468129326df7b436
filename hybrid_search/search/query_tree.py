"""Compiles what was typed into the tree of nodes that stores translate.

Everything that the query language means is decided here, once for all stores: compounds and their
parts, words as written, synonyms, phrases, prefixes, fields, and what each word is worth.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any as Anything
from typing import Protocol, TypeVar

from cachetools import LRUCache

from hybrid_search.analysis.analyzer import Analyzer
from hybrid_search.analysis.exact_name import whole_term
from hybrid_search.analysis.facet_key import readings
from hybrid_search.analysis.normalize import normalise
from hybrid_search.analysis.query_parser import Clause, ParsedQuery
from hybrid_search.analysis.query_terms import QueryWord, query_words
from hybrid_search.analysis.surface_tokens import Atom, atoms, phrase_terms
from hybrid_search.analysis.synonyms import NoSynonyms, Synonyms
from hybrid_search.core import AnyOf, Filter, Prefix
from hybrid_search.core.field_schema import UNDECLARED, Fields
from hybrid_search.core.ports.store import IndexStatistics
from hybrid_search.core.query_tree import (
    All,
    Any,
    BestOf,
    Binding,
    Boost,
    Constant,
    Filtered,
    Node,
    Phrase,
    PhrasePrefix,
    Prefer,
    Term,
    TermStatistics,
    WeightedNode,
    Words,
    WordsQuery,
)

_T = TypeVar("_T")
_COMPOUND, _SURFACE, _BEGINNING, _INSIDE, _SYNONYM = 1.2, 1.5, 0.3, 0.2, 0.8
"""Scores of the ways to match a word: its compound in one piece, the word as written, a word that
begins with it, a word that contains it, a synonym."""
_SAME_SPACING = 1000.0
"""What the same spacing adds to a phrase: more than BM25 ever gives."""
CACHED = 4096
"""Compiled queries and analysed texts that are kept; analysis costs more than a search."""


class TextView(Protocol):
    """What compiling needs of a ``View``."""

    @property
    def text_version(self) -> Hashable:
        """Equal for views with the same text."""
        ...

    def statistics(self, terms: Collection[Term] = ()) -> IndexStatistics:
        """Document frequencies of the terms."""
        ...


class QueryCompiler:
    """Compiles parsed queries. Safe to call from several threads."""

    def __init__(
        self, analyzer: Analyzer, synonyms: Synonyms | None = None, fields: Fields | None = None
    ) -> None:
        """Analyzer and fields must be those that the index was built with."""
        self._analyzer = analyzer
        self._synonyms = synonyms or NoSynonyms()
        self._fields = fields or UNDECLARED
        self._compiled: LRUCache[Hashable, Anything] = LRUCache(CACHED)
        self._analysed: LRUCache[str, tuple[QueryWord, ...]] = LRUCache(CACHED)
        self._guard = threading.Lock()

    def words(
        self, query: ParsedQuery, view: TextView, *, require_all: bool = False
    ) -> Words | None:
        """The words of the query, weighted by the view's statistics; ``None`` without clauses."""
        if not query.clauses:
            return None
        return self._once(
            (query.clauses, require_all, *self._versions(view)),
            lambda: self._weighted(query, view, require_all),
        )

    def phrases(self, query: ParsedQuery) -> tuple[Node, ...]:
        """The exact phrases of the query, in its order."""
        return tuple(self.phrase(text) for text in query.phrases)

    def phrase(self, text: str) -> Node:
        """Assets that contain the phrase; those with the same spacing score above all others."""
        return self._once(text, lambda: self._phrase(text))

    def binding(self, query: ParsedQuery, where: Filter | None, view: TextView) -> Binding:
        """The filter, and what ``+must``, ``-not`` and ``field:value`` require of every list."""
        clauses = tuple(clause for clause in query.clauses if _binds(clause))
        if not clauses:
            return Binding(where=where)
        bound = self._once(
            (clauses, *self._versions(view)),
            lambda: self._bound(clauses, self._weigher(query, view)),
        )
        return replace(bound, where=where)

    # ------------------------------------------------------------------------------- words

    def _weighted(self, query: ParsedQuery, view: TextView, require_all: bool) -> Words:
        weigher, binding = self._weigher(query, view), self.binding(query, None, view)
        wanted = [c for c in query.clauses if not _binds(c)]
        required = [c for c in query.clauses if c.occur == "must" and c.field is None]
        information = tuple(
            part.information for clause in required for part in weigher.clause(clause)
        )

        def compiled(widen: bool) -> WordsQuery:
            return WordsQuery(
                words=tuple(part for c in wanted for part in weigher.clause(c, widen=widen)),
                required=binding.required,
                excluded=binding.excluded,
                required_information=information,
                name=weigher.name(query),
                require_all=require_all,
            )

        return Words(compiled(False), lambda: compiled(True))

    def _weigher(self, query: ParsedQuery, view: TextView) -> _Weigher:
        return _Weigher(self, view.statistics(self._terms(query)).terms)

    def _versions(self, view: TextView) -> tuple[Hashable, ...]:
        """What compiled queries depend on beside the query."""
        return self._synonyms.version, view.text_version

    def _terms(self, query: ParsedQuery) -> set[Term]:
        """Every term whose document frequency the weights need."""
        found = {term for term in (_name_term(query),) if term is not None}
        for clause in query.clauses:
            if clause.field is None and clause.kind != "prefix":
                for word in self.words_of(clause.text):
                    found.update(_terms_of(word))
                    for other in self.synonyms_of(word):
                        for part in self.words_of(other):
                            found.update(_terms_of(part))
        return found

    def words_of(self, text: str) -> tuple[QueryWord, ...]:
        """The text's words, analysed once for all the ways in which they are searched."""
        with self._guard:
            known: tuple[QueryWord, ...] | None = self._analysed.get(text)
        if known is None:
            known = query_words(text, self._analyzer)
            with self._guard:
                self._analysed[text] = known
        return known

    def synonyms_of(self, word: QueryWord) -> tuple[str, ...]:
        """The synonyms of the word as written, else of its lemma."""
        return self._synonyms.of(word.text) or self._synonyms.of(word.lemma)

    # ----------------------------------------------------------------------------- binding

    def _bound(self, clauses: Sequence[Clause], weigher: _Weigher) -> Binding:
        required = tuple(self._bound_node(c, weigher) for c in clauses if c.occur != "not")
        excluded = tuple(self._bound_node(c, weigher) for c in clauses if c.occur == "not")
        return Binding(required, excluded)

    def _bound_node(self, clause: Clause, weigher: _Weigher) -> Node:
        if clause.field is not None:
            return Constant(self._in_field(clause, clause.field), 0.0)
        if clause.kind == "phrase" and not clause.slop:
            return Constant(surface(surface_atoms(clause.text), loose=True), 1.0)
        return All(tuple(part.node for part in weigher.clause(clause)))

    def _in_field(self, clause: Clause, field: str) -> Node:
        """The field's words, or its whole value where it is no running text."""
        if not self._fields.matches_words(field):
            whole = Prefix(field, clause.text) if clause.kind == "prefix" else None
            return Filtered(whole or AnyOf(field, readings(clause.text)))
        wanted = surface_atoms(clause.text)
        if clause.kind == "prefix" and wanted:
            terms = phrase_terms(wanted, loose=True, open_end=True)
            return PhrasePrefix("surface", tuple(terms), field)
        if clause.slop:
            return self.near(clause, field)
        exact = surface(wanted, loose=True, field=field)
        words = self.words_of(clause.text)
        lemmas = [part for word in words for part in word.parts]
        if clause.kind == "phrase" or not lemmas or any(word.has_symbols for word in words):
            return exact
        return Any((exact, _all_terms(lemmas, field)))

    def near(self, clause: Clause, field: str = "") -> Node:
        """The words of the phrase within its slop."""
        lemmas = [part for word in self.words_of(clause.text) for part in word.parts]
        return Phrase("lemmas", tuple(lemmas), clause.slop, field)

    # ----------------------------------------------------------------------------- phrases

    @staticmethod
    def _phrase(text: str) -> Node:
        wanted = surface_atoms(text)
        same = surface(wanted)
        if not any(atom.kind == "hangul" for atom in wanted):
            # Only Hangul is written with and without spaces; elsewhere both forms are one.
            return same
        return Prefer(surface(wanted, loose=True), same, _SAME_SPACING)

    def _once(self, key: Hashable, build: Callable[[], _T]) -> _T:
        with self._guard:
            known: _T | None = self._compiled.get(key)
        if known is None:
            known = build()
            with self._guard:
                self._compiled[key] = known
        return known


class _Weigher:
    """Nodes of words with their weights, by the statistics of one view."""

    def __init__(self, compiler: QueryCompiler, statistics: TermStatistics) -> None:
        self._compiler = compiler
        self._statistics = statistics

    def name(self, query: ParsedQuery) -> Node | None:
        """Assets of which a name is the query; ``None`` where there are none."""
        term = _name_term(query)
        return term if term is not None and self._statistics.knows(term) else None

    def clause(self, clause: Clause, *, widen: bool = False) -> Iterator[WeightedNode]:
        """One node a word; a phrase adds one for its sequence, a prefix is one."""
        wanted = surface_atoms(clause.text)
        if not wanted:
            return
        if clause.kind == "prefix":
            terms = phrase_terms(wanted, loose=True, open_end=True)
            yield WeightedNode(Constant(PhrasePrefix("surface", tuple(terms)), 1.0), 1.0, 1.0)
            return
        for word in self._compiler.words_of(clause.text):
            yield self._with_synonyms(word, widen)
        if clause.kind == "phrase":
            apart = bool(clause.slop)
            near = self._compiler.near(clause) if apart else surface(wanted, loose=True)
            yield WeightedNode(Constant(near, _SURFACE), 0.0, _SURFACE)

    def _with_synonyms(self, word: QueryWord, widen: bool) -> WeightedNode:
        others = self._compiler.synonyms_of(word)
        nodes = [self._word(word, widen)]
        nodes += [Boost(self._every_word(other), _SYNONYM) for other in others]
        terms = [word, *(each for other in others for each in self._compiler.words_of(other))]
        return WeightedNode(
            _best_of(nodes), self._information(word), sum(map(self._ceiling, terms))
        )

    def _every_word(self, text: str) -> Node:
        """All words of a synonym, which has no synonyms of its own."""
        return All(tuple(self._word(word, False) for word in self._compiler.words_of(text)))

    def _word(self, word: QueryWord, widen: bool) -> Node:
        own = word.atoms
        if word.has_symbols or not word.parts:
            return Constant(surface(own, loose=True), _SURFACE * 2)
        ways: list[Node] = [_all_terms(word.parts)]
        ways += [Boost(Term("lemmas", compound), _COMPOUND) for compound in word.wholes]
        unknown = not all(self._statistics.knows(Term("lemmas", part)) for part in word.parts)
        if len(word.parts) > 1 or unknown or widen:
            ways.append(Constant(surface(own, loose=True), _SURFACE))
        if (unknown or widen) and len(own) > 1 and all(atom.kind == "hangul" for atom in own):
            ways += _parts_of_words(own)
        return _best_of(ways)

    def _information(self, word: QueryWord) -> float:
        """The idf of its rarest part: a compound is found by all of its parts together."""
        if word.has_symbols or not word.parts:
            return max(map(self._statistics.idf, _surface_terms(word)))
        return max(self._statistics.idf(Term("lemmas", part)) for part in word.parts)

    def _ceiling(self, word: QueryWord) -> float:
        """An upper bound of BM25 for the word: a term gives at most (k1 + 1) times its idf."""
        terms = [Term("lemmas", text) for text in (*word.parts, *word.wholes)]
        return 3.0 * math.fsum(map(self._statistics.idf, terms)) + 2 * _SURFACE + 1.0


def surface_atoms(text: str) -> list[Atom]:
    """The text as written, in atoms."""
    return atoms(normalise(text).text)


def surface(wanted: Sequence[Atom], *, loose: bool = False, field: str = "") -> Node:
    """Assets with these atoms one after the other; ``loose`` ignores spaces in Hangul."""
    return Phrase("surface", tuple(phrase_terms(list(wanted), loose=loose)), field=field)


def _surface_terms(word: QueryWord) -> list[Term]:
    return [Term("surface", text) for text in phrase_terms(list(word.atoms), loose=True)]


def _terms_of(word: QueryWord) -> Iterable[Term]:
    yield from (Term("lemmas", text) for text in (*word.parts, *word.wholes))
    if word.has_symbols or not word.parts:
        yield from _surface_terms(word)


def _parts_of_words(own: Sequence[Atom]) -> list[Node]:
    """Words that begin with these syllables, and words that contain them."""
    terms = phrase_terms(list(own), open_end=True)
    inside = [own[0].text, *terms[1:]]
    return [
        Constant(Phrase("surface", tuple(terms)), _BEGINNING),
        Constant(Phrase("surface", tuple(inside)), _INSIDE),
    ]


def _all_terms(terms: Sequence[str], field: str = "") -> Node:
    nodes = tuple(Term("lemmas", term, field) for term in terms)
    return nodes[0] if len(nodes) == 1 else All(nodes)


def _best_of(nodes: Sequence[Node]) -> Node:
    return nodes[0] if len(nodes) == 1 else BestOf(tuple(nodes))


def _binds(clause: Clause) -> bool:
    return clause.occur != "should" or clause.field is not None


def _name_term(query: ParsedQuery) -> Term | None:
    """The whole query as a name; ``None`` when it has operators or is too long for one."""
    plain = not any(_binds(clause) for clause in query.clauses)
    term = whole_term(query.meaning) if plain else ""
    return Term("names", term) if term else None
