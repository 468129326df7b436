"""Highlighting: the spans of the original text that match a query."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from cachetools import LRUCache

from hybrid_search.analysis.analyzer import Analysed, Analyzer, Term, analyse
from hybrid_search.analysis.normalize import normalise
from hybrid_search.analysis.query_parser import Clause, ParsedQuery
from hybrid_search.analysis.surface_tokens import atoms, phrase_terms
from hybrid_search.analysis.synonyms import Synonyms
from hybrid_search.core import Span, TextField


@dataclass(frozen=True, slots=True)
class _Patterns:
    """What the clauses of a query look for in one field."""

    words: frozenset[str]
    """Lemmas and stems."""
    sequences: tuple[tuple[list[str], bool], ...]
    """Surface terms at successive positions, and whether the last is a prefix."""

    @classmethod
    def of(cls, clauses: list[Clause], analyzer: Analyzer, synonyms: Synonyms) -> _Patterns:
        texts = [c.text for c in clauses if c.kind == "words"]
        texts += [s for text in texts for w in normalise(text).text.split() for s in synonyms.of(w)]
        words = {term.text for text in texts for term in analyse(text, analyzer).words}
        sequences = tuple(
            (_sequence(part, open_end=clause.kind == "prefix"), clause.kind == "prefix")
            for clause in clauses
            for part in ([clause.text] if clause.kind != "words" else clause.text.split())
        )
        return cls(frozenset(words), sequences)

    def found_in(self, text: Analysed) -> list[tuple[int, int]]:
        """The spans [start, end) that match, unordered and possibly overlapping."""
        found = [(term.start, term.end) for term in text.words if term.text in self.words]
        for sequence, open_end in self.sequences:
            found += find_sequence(text.exact, sequence, open_end=open_end)
        return found


CACHED_CHARACTERS = 300_000
"""Characters of text whose analysis is cached: about 20 MB."""
_PatternsByField: TypeAlias = dict[str | None, _Patterns]


class Highlighter:
    """Finds the matches of a query in texts. Safe to call from several threads.

    The analysis of recent texts is cached: while a user types or moves a slider, the same ads are
    shown again and again.
    """

    def __init__(self, analyzer: Analyzer, synonyms: Synonyms) -> None:
        self._analyzer = analyzer
        self._synonyms = synonyms
        self._analysed: LRUCache[str, Analysed] = LRUCache(CACHED_CHARACTERS, getsizeof=_size)
        self._patterns: LRUCache[tuple[int, ParsedQuery], _PatternsByField] = LRUCache(16)
        self._guard = threading.Lock()

    def highlight(self, query: ParsedQuery, texts: Iterable[TextField]) -> tuple[Span, ...]:
        """The matching spans of the texts, in the order of the texts and by start, merged."""
        patterns = self._patterns_of(query)
        counts: dict[str, int] = defaultdict(int)
        spans: list[Span] = []
        for one in texts:
            found = patterns.get(one.field, patterns[None]).found_in(self._analyse(one.text))
            spans += [Span(one.name, s, e, counts[one.name]) for s, e in _merged(found)]
            counts[one.name] += 1
        return tuple(spans)

    def _analyse(self, text: str) -> Analysed:
        with self._guard:
            known = self._analysed.get(text)
        if known is None:
            known = analyse(text, self._analyzer)
            with self._guard, suppress(ValueError):  # larger than the whole cache
                self._analysed[text] = known
        return known

    def _patterns_of(self, query: ParsedQuery) -> _PatternsByField:
        """The patterns for each field that the query names, and under ``None`` for all others."""
        key = (self._synonyms.version, query)
        with self._guard:
            known = self._patterns.get(key)
        if known is None:
            wanted = [clause for clause in query.clauses if clause.occur != "not"]
            known = {
                field: _Patterns.of(
                    [c for c in wanted if c.field in {None, field}], self._analyzer, self._synonyms
                )
                for field in {None, *(c.field for c in wanted)}
            }
            with self._guard:
                self._patterns[key] = known
        return known


def _size(analysed: Analysed) -> int:
    """The size for the cache: the characters of the text, plus a constant for its objects."""
    ends = [term.end for term in analysed.exact[-1:]]
    return 16 + max(ends, default=0)


def find_sequence(
    terms: Iterable[Term], wanted: list[str], *, open_end: bool = False
) -> list[tuple[int, int]]:
    """The spans [start, end) in which the wanted terms stand at successive positions.

    With ``open_end`` the last one may be a prefix of a term.
    """
    at: dict[int, list[Term]] = defaultdict(list)
    for term in terms:
        at[term.position].append(term)
    found = []
    for start in list(at) if wanted else ():
        picked = [
            _pick(at.get(start + step, ()), text, open_end and step == len(wanted) - 1)
            for step, text in enumerate(wanted)
        ]
        present = [term for term in picked if term is not None]
        if len(present) == len(wanted):
            found.append((present[0].start, present[-1].end))
    return found


def _pick(terms: Iterable[Term], wanted: str, beginning: bool) -> Term | None:
    """The wanted term among those of one position; with ``beginning`` also one that begins so."""
    for term in terms:
        if term.text == wanted or (beginning and term.text.startswith(wanted)):
            return term
    return None


def _sequence(text: str, *, open_end: bool) -> list[str]:
    return phrase_terms(atoms(normalise(text).text), loose=True, open_end=open_end)


def _merged(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
