"""Corrections of misspelled queries."""

from __future__ import annotations

import threading
from collections.abc import Hashable

from cachetools import LRUCache

from hybrid_search.analysis.query_parser import Clause, ParsedQuery, corrected, plain_words
from hybrid_search.core.ports.store import View
from hybrid_search.search.retriever import Retriever

MAX_CORRECTIONS = 3
MAX_WORDS = 8
"""Words of a query that are checked."""


class SpellingCorrector:
    """Finds near words for those that match nothing. Safe to call from several threads."""

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever
        self._known: LRUCache[tuple[Hashable, str], bool] = LRUCache(10_000)
        self._guard = threading.Lock()

    def corrections(self, view: View, query: ParsedQuery) -> tuple[str, ...]:
        """The query with its unknown words replaced by near ones, likeliest first.

        Empty when every word is known, or nothing is near.
        """
        words = plain_words(query)[:MAX_WORDS]
        unknown = [word for word in words if not self._is_known(view, word)]
        if not unknown:
            return ()
        return corrected(query, view.near_words(unknown, MAX_CORRECTIONS), MAX_CORRECTIONS)

    def _is_known(self, view: View, word: str) -> bool:
        """Whether any asset matches the word, searched once a version of the text."""
        key = (view.text_version, word)
        with self._guard:
            known: bool | None = self._known.get(key)
        if known is None:
            alone = ParsedQuery(word, (Clause("words", word),))
            known = self._retriever.matches_any(view, alone)
            with self._guard:
                self._known[key] = known
        return known
