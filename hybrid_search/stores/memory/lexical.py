"""An inverted index that inverts nothing: every question is asked of every asset."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from hybrid_search.analysis.analyzer import Analysed, Analyzer, analyse
from hybrid_search.analysis.edit_distance import Vocabulary
from hybrid_search.analysis.exact_name import whole_term, whole_terms
from hybrid_search.analysis.facet_key import readings
from hybrid_search.analysis.highlighter import Highlighter, find_sequence
from hybrid_search.analysis.normalize import normalise
from hybrid_search.analysis.query_parser import Clause, ParsedQuery, corrected, plain_words
from hybrid_search.analysis.suggestion_keys import beginnings, names, suggestion_terms
from hybrid_search.analysis.surface_tokens import atoms, phrase_terms
from hybrid_search.analysis.synonyms import NoSynonyms, Synonyms
from hybrid_search.core import (
    AnyOf,
    Asset,
    AttributeValue,
    Filter,
    Ordinal,
    Prefix,
    Span,
    StoredAsset,
    TextField,
)
from hybrid_search.core.errors import EngineFailure
from hybrid_search.core.field_schema import UNDECLARED, Fields
from hybrid_search.core.ports import Completion, FacetBucket, LexicalMatches, Ordinals
from hybrid_search.stores.memory.filters import matches, values_in


@dataclass(frozen=True, slots=True)
class _Entry:
    copy: tuple[TextField, ...]
    runs: tuple[Analysed, ...]
    """The analysed copy, run by run."""
    values: tuple[tuple[str, AttributeValue], ...]

    def holds(self, wanted: list[str], *, open_end: bool = False) -> bool:
        """Whether one run has these terms one after the other."""
        return any(find_sequence(run.exact, wanted, open_end=open_end) for run in self.runs)

    def lemmas(self) -> set[str]:
        return {term.text for run in self.runs for term in run.words}

    def only(self, keep: Callable[[TextField], bool]) -> _Entry:
        """The same asset as if it had no other texts."""
        kept = [place for place, run in enumerate(self.copy) if keep(run)]
        copy, runs = self.copy, self.runs
        return replace(self, copy=tuple(copy[p] for p in kept), runs=tuple(runs[p] for p in kept))


_Score = Callable[[_Entry], float]


@dataclass(frozen=True, slots=True)
class _Share:
    """How much of a query's information an asset holds."""

    whole: bool
    share: float


class MemoryLexical:
    """A ``LexicalIndex`` over a list; it scores by how many of the wanted words an asset has."""

    def __init__(
        self,
        analyzer: Analyzer,
        synonyms: Synonyms | None = None,
        fields: Fields | None = None,
    ) -> None:
        self._analyzer = analyzer
        self._fields = fields or UNDECLARED
        self._synonyms = synonyms or NoSynonyms()
        self._highlighter = Highlighter(analyzer, self._synonyms)
        self._pending: dict[Ordinal, _Entry] = {}
        self._seen: dict[Ordinal, _Entry] = {}
        self._watermark = 0
        self._guard = threading.Lock()
        self._closed = False

    # ------------------------------------------------------------------------------ writes

    def add(self, entries: Iterable[StoredAsset]) -> None:
        """Index these versions; those that are there already are replaced."""
        self._check_open()
        for stored in entries:
            copy = self._fields.searched_texts(stored.asset)
            runs = tuple(analyse(run.text, self._analyzer) for run in copy)
            values = tuple(self._fields.values_of(stored))
            with self._guard:
                self._pending[stored.ordinal] = _Entry(copy, runs, values)

    def remove(self, ordinals: Iterable[Ordinal]) -> None:
        """Forget these versions; unknown ones are no error."""
        self._check_open()
        with self._guard:
            for ordinal in ordinals:
                self._pending.pop(ordinal, None)

    def commit(self, watermark: int) -> None:
        """Make all since the last commit visible, and remember the watermark."""
        self._check_open()
        with self._guard:
            self._seen, self._watermark = dict(self._pending), watermark

    def close(self) -> None:
        """Take no more writes."""
        self._closed = True

    # ------------------------------------------------------------------------------- reads

    @property
    def watermark(self) -> int:
        """The watermark of the commit that searches see; 0 for a new index."""
        return self._watermark

    @property
    def fingerprint(self) -> str:
        """Names the analyser that this index is built with."""
        return self._analyzer.fingerprint

    def words(
        self,
        query: ParsedQuery,
        limit: int,
        where: Filter | None = None,
        among: Sequence[Ordinal] | None = None,
        *,
        require_all: bool = False,
    ) -> LexicalMatches:
        """The assets that match the query's words and operators."""
        wanted = [c for c in query.clauses if c.occur == "should" and c.field is None]
        binding = [c for c in query.clauses if c.occur != "should" or c.field is not None]

        def score(entry: _Entry) -> float:
            if not all(self._keeps(clause, entry) for clause in binding):
                return 0.0
            if not wanted:
                return float(bool(binding))
            held = [self._held(clause, entry) for clause in wanted]
            if require_all and held != [self._words_in(clause) for clause in wanted]:
                return 0.0
            return float(sum(self._weight(clause, entry) for clause in wanted))

        found = self._best(score, len(self._seen), where, among)
        return self._by_share(query, found, limit)

    def phrase(
        self,
        phrase: str,
        limit: int,
        where: Filter | None = None,
        among: Sequence[Ordinal] | None = None,
    ) -> LexicalMatches:
        """The assets that contain the phrase; written with the same spacing before the rest."""
        wanted = atoms(normalise(phrase).text)

        def score(entry: _Entry) -> float:
            same, loose = phrase_terms(wanted), phrase_terms(wanted, loose=True)
            return 2000.0 if entry.holds(same) else 1000.0 * entry.holds(loose)

        return self._best(score, limit, where, among)

    def allowed(self, query: ParsedQuery | None, where: Filter | None) -> Ordinals | None:
        """The ordinals, ascending, that every list must keep to; ``None`` for no restriction."""
        clauses = () if query is None else query.clauses
        binding = [c for c in clauses if c.occur != "should" or c.field is not None]
        if where is None and not binding:
            return None
        kept = [
            ordinal
            for ordinal, entry in self._seen.items()
            if (where is None or matches(where, entry.values))
            and all(self._keeps(clause, entry) for clause in binding)
        ]
        return np.array(sorted(kept), np.int64)

    def highlight(self, query: ParsedQuery, asset: Asset) -> tuple[Span, ...]:
        """Where the asset's copy matches, in order of field and start, without overlaps."""
        return self._highlighter.highlight(query, self._fields.searched_texts(asset))

    def facet(
        self,
        field: str,
        query: ParsedQuery,
        where: Filter | None,
        also: Sequence[Ordinal],
        limit: int,
    ) -> tuple[FacetBucket, ...]:
        """The field's values over all assets that match the words or are among ``also``."""
        kept = self.allowed(query, where)
        bound = set(self._seen) if kept is None else set(kept.tolist())
        if query.clauses or also:
            bound &= {*self.words(query, len(self._seen)).ordinals, *also}
        holders: dict[str, list[Ordinal]] = {}
        for ordinal in sorted(bound & set(self._seen)):
            for key in values_in(self._seen[ordinal].values, field):
                holders.setdefault(key, []).append(ordinal)
        counted = sorted(holders.items(), key=lambda item: (-len(item[1]), item[0]))
        return tuple(FacetBucket(held[0], key, len(held)) for key, held in counted[:limit])

    def complete(self, typed: str, limit: int) -> tuple[Completion, ...]:
        """Names and words that begin as typed, those of most assets first, then by alphabet."""
        for beginning in beginnings(typed):
            found: dict[str, list[str]] = {}
            for entry in self._seen.values():
                for text in self._suggested(entry):
                    if any(term.startswith(beginning) for term in suggestion_terms([text])):
                        found.setdefault(text, []).append(text)
            if found:
                counted = [Completion(text, len(held)) for text, held in found.items()]
                best: dict[str, Completion] = {}
                for one in sorted(counted, key=lambda c: (-c.assets, c.text)):
                    best.setdefault(normalise(one.text).text, one)
                return tuple(best.values())[:limit]
        return ()

    def corrections(self, query: ParsedQuery, limit: int = 3) -> tuple[str, ...]:
        """The query with its unknown words replaced by near ones, likeliest first."""
        entries = self._seen.values()
        unknown = [w for w in plain_words(query) if not any(self._has_word(w, e) for e in entries)]
        counts = Counter(
            normalise(text).text for e in entries for text in self._suggested(e) if " " not in text
        )
        vocabulary = Vocabulary(counts)
        near = {word: vocabulary.near(normalise(word).text, limit) for word in unknown}
        return corrected(query, {word: others for word, others in near.items() if others}, limit)

    def ordinals(self) -> Ordinals:
        """All versions that a search sees, ascending."""
        return np.array(sorted(self._seen), np.int64)

    def count(self) -> int:
        """The number of versions that a search sees."""
        return len(self._seen)

    def refresh(self) -> None:
        """Nothing to see: no other process writes here."""

    # --------------------------------------------------------------------------- machinery

    def _by_share(self, query: ParsedQuery, found: LexicalMatches, limit: int) -> LexicalMatches:
        """Whole names first, then by the share of the words' information, then as they stood."""
        sought = [c for c in query.clauses if c.occur != "not" and c.field is None]
        words = [word for clause in sought for word in clause.text.split()]
        plain = len(sought) == len(query.clauses) and all(c.occur == "should" for c in sought)
        term = whole_term(query.meaning) if plain else ""
        idfs = {word: self._idf(word) for word in words}
        information = sum(idfs[word] for word in words)

        def shared(ordinal: Ordinal) -> _Share:
            entry = self._seen[ordinal]
            held = sum(idfs[word] for word in words if self._has_word(word, entry))
            whole = bool(term) and term in whole_terms(entry.copy, self._fields)
            return _Share(whole, held / information if information else 1.0)

        shares = {ordinal: shared(ordinal) for ordinal in found.ordinals}
        scores = dict(zip(found.ordinals, found.scores, strict=True))
        order = sorted(
            found.ordinals, key=lambda o: (-shares[o].whole, -round(60 * shares[o].share))
        )[: max(0, limit)]
        return LexicalMatches(
            tuple(order),
            tuple(scores[ordinal] for ordinal in order),
            found.total,
            tuple(shares[ordinal].share for ordinal in order),
            tuple(shares[ordinal].whole for ordinal in order),
            information,
        )

    def _idf(self, word: str) -> float:
        held = sum(self._has_word(word, entry) for entry in self._seen.values())
        return math.log1p((len(self._seen) - held + 0.5) / (held + 0.5))

    def _suggested(self, entry: _Entry) -> list[str]:
        words = [word for run in entry.runs for word in run.suggested]
        return list(dict.fromkeys([*names(entry.copy), *words]))

    def _check_open(self) -> None:
        if self._closed:
            raise EngineFailure("lexical: closed")

    def _best(
        self,
        score: _Score,
        limit: int,
        where: Filter | None,
        among: Sequence[Ordinal] | None,
    ) -> LexicalMatches:
        entries = self._seen
        asked = entries.keys() if among is None else entries.keys() & set(among)
        kept = [o for o in asked if where is None or matches(where, entries[o].values)]
        scored = [(-value, o) for o in kept if (value := score(entries[o])) > 0]
        best = sorted(scored)[: max(0, limit)]
        found = tuple(ordinal for _, ordinal in best)
        return LexicalMatches(found, tuple(-value for value, _ in best), len(scored))

    def _keeps(self, clause: Clause, entry: _Entry) -> bool:
        """Whether the asset may be returned under a binding clause."""
        if clause.field is not None:
            held = self._in_field(clause, clause.field, entry)
        else:
            held = self._held(clause, entry) == self._words_in(clause)
        return held != (clause.occur == "not")

    def _in_field(self, clause: Clause, field: str, entry: _Entry) -> bool:
        """The field's words, or its whole value where it is no running text."""
        if self._fields.matches_words(field):
            return self._held(clause, entry.only(lambda run: run.field == field)) == self._words_in(
                clause
            )
        whole = Prefix(field, clause.text) if clause.kind == "prefix" else None
        return matches(whole or AnyOf(field, readings(clause.text)), entry.values)

    def _words_in(self, clause: Clause) -> int:
        return len(clause.text.split()) if clause.kind == "words" else 1

    def _held(self, clause: Clause, entry: _Entry) -> int:
        """How many of the clause's words the asset has; a phrase and a prefix are one."""
        if clause.kind == "words":
            return sum(self._has_word(word, entry) for word in clause.text.split())
        if clause.slop:
            return all(self._has_word(word, entry) for word in clause.text.split())
        wanted = atoms(normalise(clause.text).text)
        open_end = clause.kind == "prefix"
        terms = phrase_terms(wanted, loose=True, open_end=open_end)
        return entry.holds(terms, open_end=open_end)

    def _weight(self, clause: Clause, entry: _Entry) -> int:
        """How many of the clause's words the asset has, each by the highest boost it has there."""
        total = 0
        for low, high in pairwise([0, *sorted({run.boost for run in entry.copy})]):
            raised = entry.only(lambda run, least=high: run.boost >= least)  # type: ignore[misc]  # a default argument of a lambda
            total += (high - low) * self._held(clause, raised)
        return total

    def _has_word(self, word: str, entry: _Entry) -> bool:
        """The word itself, or all words of one of its synonyms."""
        others = self._synonyms.of(normalise(word).text)
        return self._has(word, entry) or any(
            all(self._has(part, entry) for part in other.split()) for other in others
        )

    def _has(self, word: str, entry: _Entry) -> bool:
        """By its lemmas, or as it is written."""
        lemmas = {term.text for term in analyse(word, self._analyzer).words}
        if lemmas and lemmas <= entry.lemmas():
            return True
        return entry.holds(phrase_terms(atoms(normalise(word).text), loose=True))
