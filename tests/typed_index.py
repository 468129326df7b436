"""A lexical index that is written to directly and searched by typed queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hybrid_search.analysis.analyzer import Analyzer
from hybrid_search.analysis.highlighter import Highlighter
from hybrid_search.analysis.query_parser import Clause, ParsedQuery, corrected, plain_words
from hybrid_search.analysis.synonyms import NoSynonyms, Synonyms
from hybrid_search.core import Asset, Ordinal, Span, StoredAsset
from hybrid_search.core.arrays import Ordinals
from hybrid_search.core.field_schema import UNDECLARED, Fields
from hybrid_search.core.ports import Completion, LexicalIndex
from hybrid_search.search.text_search import TextSearch


class TypedIndex(TextSearch):
    """Writes, and every read of the last commit."""

    def __init__(
        self,
        index: LexicalIndex,
        analyzer: Analyzer,
        fields: Fields = UNDECLARED,
        synonyms: Synonyms | None = None,
    ) -> None:
        super().__init__(index, analyzer, fields, synonyms)
        self._fields = fields
        self._highlighter = Highlighter(analyzer, synonyms or NoSynonyms())

    def add(self, entries: Iterable[StoredAsset]) -> None:
        self.index.add(entries)

    def remove(self, ordinals: Iterable[Ordinal]) -> None:
        self.index.remove(ordinals)

    def commit(self, watermark: int) -> None:
        self.index.commit(watermark)

    def refresh(self) -> None:
        self.index.refresh()

    def close(self) -> None:
        self.index.close()

    @property
    def watermark(self) -> int:
        return self.snapshot.watermark

    @property
    def fingerprint(self) -> str:
        return self.index.fingerprint

    def count(self) -> int:
        return self.snapshot.count()

    def ordinals(self) -> Ordinals:
        return self.snapshot.ordinals()

    def complete(self, typed: str, limit: int) -> Sequence[Completion]:
        return self.snapshot.complete(typed, limit)

    def corrections(self, query: ParsedQuery, limit: int = 3) -> tuple[str, ...]:
        words = [(word, ParsedQuery(word, (Clause("words", word),))) for word in plain_words(query)]
        unknown = [word for word, alone in words if not self.words(alone, 1).total]
        return corrected(query, self.snapshot.near_words(unknown, limit), limit)

    def highlight(self, query: ParsedQuery, asset: Asset) -> tuple[Span, ...]:
        return self._highlighter.highlight(query, self._fields.searched_texts(asset))
