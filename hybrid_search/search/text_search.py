"""Typed queries over a lexical index alone, without a store: for analyzer cases and benchmarks."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

from hybrid_search.analysis.analyzer import Analyzer
from hybrid_search.analysis.query_parser import ParsedQuery
from hybrid_search.analysis.synonyms import Synonyms
from hybrid_search.core import Filter, Ordinal
from hybrid_search.core.arrays import Ordinals
from hybrid_search.core.field_schema import Fields
from hybrid_search.core.ports import (
    FacetBucket,
    IndexStatistics,
    LexicalIndex,
    LexicalMatches,
    LexicalSnapshot,
)
from hybrid_search.core.query_tree import Binding, MatchedSet, Term
from hybrid_search.search.query_tree import QueryCompiler, TextView


class SnapshotView:
    """The statistics of one snapshot, as queries are compiled with them."""

    def __init__(self, snapshot: LexicalSnapshot) -> None:
        self._snapshot = snapshot

    @property
    def text_version(self) -> Hashable:
        """Equal for the same commit."""
        return self._snapshot.token

    def statistics(self, terms: Collection[Term] = ()) -> IndexStatistics:
        """Document frequencies of the terms."""
        return IndexStatistics(self._snapshot.count(), self._snapshot.statistics(terms), {})


class TextSearch:
    """Searches the newest snapshot of a lexical index."""

    def __init__(
        self,
        index: LexicalIndex,
        analyzer: Analyzer,
        fields: Fields | None = None,
        synonyms: Synonyms | None = None,
    ) -> None:
        """Analyzer and fields must be those of the index."""
        self.index = index
        self._compiler = QueryCompiler(analyzer, synonyms, fields)

    @property
    def snapshot(self) -> LexicalSnapshot:
        """What the next search sees."""
        return self.index.snapshot()

    def words(
        self,
        query: ParsedQuery,
        limit: int,
        where: Filter | None = None,
        among: Sequence[Ordinal] | None = None,
        *,
        require_all: bool = False,
    ) -> LexicalMatches:
        """The matches of the words and operators; see ``LexicalSnapshot.words``.

        ``require_all`` keeps to assets that match every word.
        """
        words = self._compiler.words(query, self._view(), require_all=require_all)
        if words is None:
            return LexicalMatches((), (), 0)
        return self.snapshot.words(words, limit, where, among)

    def phrase(
        self,
        phrase: str,
        limit: int,
        where: Filter | None = None,
        among: Sequence[Ordinal] | None = None,
    ) -> LexicalMatches:
        """The assets that contain the phrase, those with the same spacing first."""
        binding = Binding(where=where)
        return self.snapshot.phrase(self._compiler.phrase(phrase), limit, binding, among)

    def allowed(self, query: ParsedQuery, where: Filter | None) -> Ordinals | None:
        """The ordinals that satisfy filter and binding operators; ``None`` without any."""
        return self.snapshot.allowed(self._compiler.binding(query, where, self._view()))

    def facet(
        self,
        field: str,
        query: ParsedQuery,
        where: Filter | None = None,
        also: Sequence[Ordinal] = (),
        limit: int = 50,
    ) -> tuple[FacetBucket, ...]:
        """The field's values over all assets with any of the words, and those in ``also``."""
        view = self._view()
        words = self._compiler.words(query, view)
        binding = self._compiler.binding(query, where, view)
        every = words is None and not also
        matched = MatchedSet(binding, words, among=also, everything=every)
        return self.snapshot.facet(field, matched, limit).buckets

    def _view(self) -> TextView:
        return SnapshotView(self.snapshot)
