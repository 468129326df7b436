"""Scores that also say how much of a query a document holds.

Tantivy gives one number a hit. So each word adds, besides its BM25, its units of information, in
steps higher than any BM25 can be; a document whose name is the query adds more steps than all words
together. The score of a hit is taken apart again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import tantivy

from hybrid_search.core.ports.lexical_index import LexicalMatches
from hybrid_search.core.query_tree import WordsQuery

Query, Occur = tantivy.Query, tantivy.Occur
_NAME = 128
"""Steps of a name: more than all words have."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class CoverageScore:
    """A query, and how its scores are read."""

    query: tantivy.Query
    words: WordsQuery
    step: float

    def of(self, query: tantivy.Query) -> CoverageScore:
        """The same reading, of the whole query."""
        return replace(self, query=query)

    def read(self, found: LexicalMatches) -> LexicalMatches:
        """The same matches with each score taken apart."""
        information = self.words.information
        if not found.ordinals:
            return replace(found, information=information)
        scores = np.array(found.scores)
        steps = scores // self.step
        named, units = np.divmod(steps, _NAME)
        return LexicalMatches(
            found.ordinals,
            tuple((scores - steps * self.step).tolist()),
            found.total,
            tuple(self._shares(units).tolist()),
            tuple((named > 0).tolist()),
            information,
        )

    def _shares(self, units: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray:
        if not self.words.all_units:
            return np.ones(len(units))
        return np.asarray((self.words.required_units + units) / self.words.all_units)


def scored(
    query: WordsQuery, words: Sequence[tantivy.Query], name: tantivy.Query | None
) -> tuple[list[tuple[tantivy.Occur, tantivy.Query]], CoverageScore]:
    """What is asked beside the words, and how the scores of all together are read."""
    ceilings = sum(word.ceiling for word in query.words)
    step = 2.0 ** math.ceil(math.log2(1.0 + ceilings))
    pairs = zip(words, query.units, strict=True) if query.all_units else ()
    beside = [
        (Occur.Should, Query.const_score_query(word, step * units))
        for word, units in pairs
        if units
    ]
    if name is not None:
        beside.append((Occur.Should, Query.const_score_query(name, step * _NAME)))
    return beside, CoverageScore(Query.empty_query(), query, step)


def holding(query: WordsQuery, words: Sequence[tantivy.Query], share: float) -> tantivy.Query:
    """What holds at least that share of the query's information, whatever its score.

    Each word stands in the query as often as it has units, so that Tantivy's least number of
    clauses counts units.
    """
    if share > 1.0:
        return Query.empty_query()
    needed = math.ceil(share * query.all_units - _ROUNDING) - query.required_units
    if needed <= 0:
        return Query.all_query()
    units = [unit for unit in query.units if unit]
    common = math.gcd(*units)
    clauses = [
        (Occur.Should, word)
        for word, unit in zip(words, query.units, strict=True)
        for _ in range(unit // common)
    ]
    return Query.boolean_query(clauses, minimum_number_should_match=-(-needed // common))
