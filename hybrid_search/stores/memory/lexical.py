"""An inverted index that inverts nothing: every query is evaluated on every asset."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hybrid_search.analysis.analyzer import Analysed, Analyzer, analyse
from hybrid_search.analysis.analyzer import Term as Token
from hybrid_search.analysis.edit_distance import Vocabulary
from hybrid_search.analysis.exact_name import whole_terms
from hybrid_search.analysis.normalize import normalise
from hybrid_search.analysis.suggestion_keys import beginnings, names, suggestion_terms
from hybrid_search.core import AttributeValue, Filter, Ordinal, StoredAsset, TextField
from hybrid_search.core.arrays import Ordinals
from hybrid_search.core.errors import EngineFailure
from hybrid_search.core.field_schema import UNDECLARED, Fields
from hybrid_search.core.ports.lexical_index import FacetBucket, FacetBuckets, LexicalMatches
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
from hybrid_search.stores.memory.filters import matches, values_in
from hybrid_search.stores.memory.tree_evaluation import TreeEvaluator


@dataclass(frozen=True, slots=True)
class _Entry:
    """An asset, analysed."""

    copy: tuple[TextField, ...]
    runs: tuple[Analysed, ...]
    names: frozenset[str]
    values: tuple[tuple[str, AttributeValue], ...]

    def tokens(self, view: str, field: str) -> list[tuple[Sequence[Token], int]]:
        """The tokens of each run of the field (of all fields without one), and its boost."""
        return [
            (analysed.exact if view == "surface" else analysed.words, run.boost)
            for run, analysed in zip(self.copy, self.runs, strict=True)
            if not field or run.field == field
        ]

    def suggested(self) -> list[str]:
        words = [word for run in self.runs for word in run.suggested]
        return list(dict.fromkeys([*names(self.copy), *words]))


class MemorySnapshot:
    """A ``LexicalSnapshot`` over a dictionary that never changes."""

    def __init__(self, entries: Mapping[Ordinal, _Entry], watermark: int) -> None:
        self.watermark = watermark
        self.token: Hashable = object()
        self._entries = entries

    def statistics(self, terms: Collection[Term]) -> TermStatistics:
        counts = {term: sum(map(_holds(term), self._entries.values())) for term in terms}
        return TermStatistics(len(self._entries), counts)

    def words(
        self,
        query: Words,
        limit: int,
        where: Filter | None = None,
        among: Sequence[Ordinal] | None = None,
    ) -> LexicalMatches:
        found = self._words(query.narrow, limit, where, among)
        if not self._widens(query):
            return found
        return found.extended(self._words(query.wide, limit, where, among), limit)

    def phrase(
        self,
        phrase: Node,
        limit: int,
        binding: Binding | None = None,
        among: Sequence[Ordinal] | None = None,
    ) -> LexicalMatches:
        scored = [
            (-score, ordinal)
            for ordinal, entry in self._among(None, among)
            if (score := self._score(phrase, entry)) is not None
            and (binding is None or self._admits(binding, entry))
        ]
        best = sorted(scored)[: max(0, limit)]
        scores = tuple(-score for score, _ in best)
        return LexicalMatches(tuple(o for _, o in best), scores, len(scored))

    def allowed(self, binding: Binding) -> Ordinals | None:
        if not binding:
            return None
        kept = [o for o, entry in self._entries.items() if self._admits(binding, entry)]
        return np.array(sorted(kept), np.int64)

    def matching(self, matched: MatchedSet) -> int:
        return len(self._matching(matched))

    def members(self, matched: MatchedSet, wanted: Sequence[Ordinal]) -> set[Ordinal]:
        return set(self._matching(matched)) & set(wanted)

    def facet(self, field: str, matched: MatchedSet, limit: int) -> FacetBuckets:
        holding: dict[str, list[Ordinal]] = defaultdict(list)
        having = 0
        for ordinal in self._matching(matched):
            keys = values_in(self._entries[ordinal].values, field)
            having += bool(keys)
            for key in keys:
                holding[key].append(ordinal)
        counted = sorted(holding.items(), key=lambda item: (-len(item[1]), item[0]))[:limit]
        listed = {ordinal for _, held in counted for ordinal in held}
        buckets = tuple(FacetBucket(held[0], key, len(held)) for key, held in counted)
        return FacetBuckets(buckets, having, len(listed))

    def complete(self, typed: str, limit: int) -> tuple[Completion, ...]:
        for beginning in beginnings(typed):
            counts = Counter(
                text
                for entry in self._entries.values()
                for text in entry.suggested()
                if any(term.startswith(beginning) for term in suggestion_terms([text]))
            )
            best: dict[str, Completion] = {}
            for text, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
                best.setdefault(normalise(text).text, Completion(text, count))
            if best:
                return tuple(best.values())[:limit]
        return ()

    def near_words(self, words: Sequence[str], limit: int) -> dict[str, tuple[str, ...]]:
        suggested = (text for entry in self._entries.values() for text in entry.suggested())
        vocabulary = Vocabulary(Counter(normalise(t).text for t in suggested if " " not in t))
        near = {word: vocabulary.near(normalise(word).text, limit) for word in words}
        return {word: tuple(others) for word, others in near.items() if others}

    def ordinals(self) -> Ordinals:
        return np.array(sorted(self._entries), np.int64)

    def count(self) -> int:
        return len(self._entries)

    def _among(
        self, where: Filter | None, among: Sequence[Ordinal] | None
    ) -> list[tuple[Ordinal, _Entry]]:
        wanted = self._entries.keys() if among is None else self._entries.keys() & set(among)
        entries = ((ordinal, self._entries[ordinal]) for ordinal in sorted(wanted))
        return [(o, e) for o, e in entries if where is None or matches(where, e.values)]

    def _admits(self, binding: Binding, entry: _Entry) -> bool:
        return (
            (binding.where is None or matches(binding.where, entry.values))
            and all(self._score(node, entry) is not None for node in binding.required)
            and all(self._score(node, entry) is None for node in binding.excluded)
        )

    def _score(self, node: Node, entry: _Entry) -> float | None:
        return TreeEvaluator(self.statistics, entry).score(node)

    def _matching(self, matched: MatchedSet) -> list[Ordinal]:
        """The versions of the matched set, ascending."""
        found = set(matched.among) | (set(self._entries) if matched.everything else set())
        if matched.node is not None:
            found |= set(self.phrase(matched.node, len(self._entries)).ordinals)
        if matched.words is not None:
            found |= self._holding(matched.words, matched.share)
        return [
            ordinal
            for ordinal, entry in sorted(self._entries.items())
            if ordinal in found
            and ordinal not in matched.without
            and self._admits(matched.binding, entry)
        ]

    def _holding(self, words: Words, share: float) -> set[Ordinal]:
        found = self.words(words, len(self._entries))
        rows = zip(found.ordinals, found.shares, found.named, strict=True)
        return {ordinal for ordinal, held, named in rows if named or held >= share - 1e-9}

    def _widens(self, query: Words) -> bool:
        return self._words(query.narrow, 0, None, None).total < WIDEN_BELOW

    def _words(
        self,
        query: WordsQuery,
        limit: int,
        where: Filter | None,
        among: Sequence[Ordinal] | None,
    ) -> LexicalMatches:
        bound = Binding(query.required, query.excluded)
        kept = [(o, e) for o, e in self._among(where, among) if self._admits(bound, e)]
        found = [(o, hit) for o, e in kept if (hit := self._hit(query, e)) is not None]
        found.sort(key=lambda item: (-item[1].named, -item[1].units, -item[1].score, item[0]))
        best = found[: max(0, limit)]
        return LexicalMatches(
            tuple(ordinal for ordinal, _ in best),
            tuple(hit.score for _, hit in best),
            len(found),
            tuple(hit.units / query.all_units if query.all_units else 1.0 for _, hit in best),
            tuple(hit.named for _, hit in best),
            query.information,
        )

    def _hit(self, query: WordsQuery, entry: _Entry) -> _Hit | None:
        scores = [self._score(word.node, entry) for word in query.words]
        required = [self._score(node, entry) or 0.0 for node in query.required]
        held = [score is not None for score in scores]
        if query.words and not (all(held) if query.require_all else any(held)):
            return None
        if not query.words and not query.required and not query.excluded:
            return None
        units = sum(u for u, one in zip(query.units, held, strict=True) if one)
        named = query.name is not None and self._score(query.name, entry) is not None
        total = sum(score or 0.0 for score in scores) + sum(required)
        return _Hit(named, query.required_units + units, total)


@dataclass(frozen=True, slots=True)
class _Hit:
    named: bool
    units: int
    score: float


def _holds(term: Term) -> Callable[[_Entry], bool]:
    if term.view == "names":
        return lambda entry: term.text in entry.names
    return lambda entry: any(
        token.text == term.text
        for tokens, _ in entry.tokens(term.view, term.field)
        for token in tokens
    )


class MemoryLexical:
    """A ``LexicalIndex`` over a dictionary."""

    def __init__(self, analyzer: Analyzer, fields: Fields | None = None) -> None:
        self._analyzer = analyzer
        self._fields = fields or UNDECLARED
        self._pending: dict[Ordinal, _Entry] = {}
        self._snapshot = MemorySnapshot({}, 0)
        self._guard = threading.Lock()
        self._closed = False

    def add(self, entries: Iterable[StoredAsset]) -> None:
        self._check_open()
        for stored in entries:
            entry = self._analysed(stored)
            with self._guard:
                self._pending[stored.arrival] = entry

    def _analysed(self, stored: StoredAsset) -> _Entry:
        copy = self._fields.searched_texts(stored.asset)
        runs = tuple(analyse(run.text, self._analyzer) for run in copy)
        named = frozenset(whole_terms(copy, self._fields))
        return _Entry(copy, runs, named, tuple(self._fields.values_of(stored)))

    def remove(self, ordinals: Iterable[Ordinal]) -> None:
        self._check_open()
        with self._guard:
            for ordinal in ordinals:
                self._pending.pop(ordinal, None)

    def commit(self, watermark: int) -> None:
        self._check_open()
        with self._guard:
            self._snapshot = MemorySnapshot(dict(self._pending), watermark)

    def close(self) -> None:
        self._closed = True

    @property
    def fingerprint(self) -> str:
        return self._analyzer.fingerprint

    def snapshot(self) -> MemorySnapshot:
        return self._snapshot

    def refresh(self) -> None:
        """Do nothing: no other process writes here."""

    def _check_open(self) -> None:
        if self._closed:
            raise EngineFailure("lexical: closed")
