"""Queries whose scores also say how much of what was asked a document holds.

Tantivy gives one number a hit. So each word adds, besides its BM25, its share of the query's
information, in steps higher than any BM25 can be; a document of which a name is all that was
asked adds more steps than all words together. The score of a hit is taken apart again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import tantivy

from hybrid_search.core.ports import LexicalMatches

Query, Occur = tantivy.Query, tantivy.Occur
_UNITS = 60
"""Steps that all words of a query have together, about."""
_WHOLE = 128
"""Steps of a whole name: more than all words have."""


@dataclass(frozen=True, slots=True)
class Part:
    """One word of a query, or what stands for one."""

    query: tantivy.Query
    information: float
    """What a match says, in nats: the word's idf."""
    ceiling: float
    """More than its score can be."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A query, and how its scores are read."""

    asked: tantivy.Query
    information: float
    """Of all its words, in nats."""
    step: float
    bound: int
    """Steps of the words that every hit holds."""
    full: int
    """Steps of all words; 0 where every hit holds all."""

    def read(self, found: LexicalMatches) -> LexicalMatches:
        """The same matches with each score taken apart."""
        if not found.ordinals:
            return replace(found, information=self.information)
        scores = np.array(found.scores)
        steps = scores // self.step
        whole, words = np.divmod(steps, _WHOLE)
        shares = (self.bound + words) / self.full if self.full else np.ones(len(scores))
        return LexicalMatches(
            found.ordinals,
            tuple((scores - steps * self.step).tolist()),
            found.total,
            tuple(shares.tolist()),
            tuple((whole > 0).tolist()),
            self.information,
        )


def weigh(
    parts: Sequence[Part], bound: Sequence[float], whole: tantivy.Query | None, *, shares: bool
) -> tuple[list[tuple[tantivy.Occur, tantivy.Query]], Weighed]:
    """What is asked beside the parts, and how the scores of all together are read.

    ``bound`` is the information of words that every hit holds, ``whole`` what finds whole names.
    Without ``shares``, as for hits that hold all words, only those are told.
    """
    information = math.fsum([*(part.information for part in parts), *bound])
    step = 2.0 ** math.ceil(math.log2(1.0 + sum(part.ceiling for part in parts)))
    units = [_units(part.information, information) for part in parts]
    held = sum(_units(value, information) for value in bound)
    full = held + sum(units) if shares and len(parts) + bool(bound) > 1 else 0
    pairs = zip(parts, units, strict=True) if full else ()
    beside = [(Occur.Should, _constant(p.query, step * n)) for p, n in pairs if n]
    if whole is not None:
        beside.append((Occur.Should, _constant(whole, step * _WHOLE)))
    return beside, Weighed(Query.empty_query(), information, step, held, full)


def _units(information: float, total: float) -> int:
    """Steps for a word; none for one that nearly every document holds, and so says nothing."""
    return round(_UNITS * information / total) if total else 0


def _constant(query: tantivy.Query, score: float) -> tantivy.Query:
    return Query.const_score_query(query, score)
