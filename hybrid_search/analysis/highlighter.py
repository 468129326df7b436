"""Where a text matches a query, as stretches of the original."""

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
class _Wanted:
    """What some clauses look for."""

    words: frozenset[str]
    sequences: tuple[tuple[list[str], bool], ...]
    """Terms that stand one after the other, and whether the last may go on."""

    @classmethod
    def of(cls, clauses: list[Clause], analyzer: Analyzer, synonyms: Synonyms) -> _Wanted:
        asked = [c.text for c in clauses if c.kind == "words"]
        asked += [o for text in asked for w in normalise(text).text.split() for o in synonyms.of(w)]
        words = {term.text for text in asked for term in analyse(text, analyzer).words}
        sequences = tuple(
            (_sequence(part, open_end=clause.kind == "prefix"), clause.kind == "prefix")
            for clause in clauses
            for part in ([clause.text] if clause.kind != "words" else clause.text.split())
        )
        return cls(frozenset(words), sequences)

    def found_in(self, text: Analysed) -> list[tuple[int, int]]:
        """The stretches of the text that match, in no order, overlaps among them."""
        found = [(term.start, term.end) for term in text.words if term.text in self.words]
        for sequence, open_end in self.sequences:
            found += find_sequence(text.exact, sequence, open_end=open_end)
        return found


KEPT_CHARACTERS = 300_000
"""Of copy, whose analysis is kept: about 20 MB."""
_WantedBy: TypeAlias = dict[str | None, _Wanted]


class Highlighter:
    """Finds what matches in copy. Safe to call from several threads.

    Copy that was shown lately is not analysed again: while somebody types or moves a slider, the
    same ads come back with each answer.
    """

    def __init__(self, analyzer: Analyzer, synonyms: Synonyms) -> None:
        self._analyzer = analyzer
        self._synonyms = synonyms
        self._analysed: LRUCache[str, Analysed] = LRUCache(KEPT_CHARACTERS, getsizeof=_size)
        self._wanted: LRUCache[tuple[int, ParsedQuery], _WantedBy] = LRUCache(16)
        self._guard = threading.Lock()

    def highlight(self, query: ParsedQuery, copy: Iterable[TextField]) -> tuple[Span, ...]:
        """The matching stretches of every searched text, in their order and by start, merged."""
        wanted = self._wanted_by(query)
        runs: dict[str, int] = defaultdict(int)
        spans: list[Span] = []
        for run in copy:
            found = wanted.get(run.field, wanted[None]).found_in(self._analyse(run.text))
            spans += [Span(run.name, s, e, runs[run.name]) for s, e in _merged(found)]
            runs[run.name] += 1
        return tuple(spans)

    def _analyse(self, text: str) -> Analysed:
        with self._guard:
            known = self._analysed.get(text)
        if known is None:
            known = analyse(text, self._analyzer)
            with self._guard, suppress(ValueError):  # longer than all that is kept
                self._analysed[text] = known
        return known

    def _wanted_by(self, query: ParsedQuery) -> _WantedBy:
        """What is looked for in each field that the query names, and by ``None`` in all others."""
        key = (self._synonyms.version, query)
        with self._guard:
            known = self._wanted.get(key)
        if known is None:
            wanted = [clause for clause in query.clauses if clause.occur != "not"]
            known = {
                field: _Wanted.of(
                    [c for c in wanted if c.field in {None, field}], self._analyzer, self._synonyms
                )
                for field in {None, *(c.field for c in wanted)}
            }
            with self._guard:
                self._wanted[key] = known
        return known


def _size(analysed: Analysed) -> int:
    """In characters, as far as memory goes: two views of them, and what they are kept in."""
    ends = [term.end for term in analysed.exact[-1:]]
    return 16 + max(ends, default=0)


def find_sequence(
    terms: Iterable[Term], wanted: list[str], *, open_end: bool = False
) -> list[tuple[int, int]]:
    """The stretches [start, end) in which the wanted terms stand at successive positions.

    With ``open_end`` the last may be the beginning of a term.
    """
    at: dict[int, list[Term]] = defaultdict(list)
    for term in terms:
        at[term.position].append(term)
    found = []
    for start in list(at) if wanted else ():
        held = [
            _pick(at.get(start + step, ()), text, open_end and step == len(wanted) - 1)
            for step, text in enumerate(wanted)
        ]
        real = [term for term in held if term is not None]
        if len(real) == len(wanted):
            found.append((real[0].start, real[-1].end))
    return found


def _pick(terms: Iterable[Term], wanted: str, beginning: bool) -> Term | None:
    """The term of one position that is the wanted one, or begins with it."""
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
