"""The neutral query tree, evaluated on one asset."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from itertools import product
from typing import Protocol

from hybrid_search.analysis.analyzer import Term as Token
from hybrid_search.analysis.highlighter import find_sequence
from hybrid_search.core import AttributeValue
from hybrid_search.core.query_tree import (
    All,
    Any,
    BestOf,
    Boost,
    Constant,
    Filtered,
    Node,
    Phrase,
    PhrasePrefix,
    Prefer,
    Term,
    TermStatistics,
)
from hybrid_search.stores.memory.filters import matches

_K1 = 1.2
"""BM25's saturation; lengths are not counted here."""


class Entry(Protocol):
    """An asset, analysed."""

    @property
    def names(self) -> frozenset[str]:
        """Its names in one spelling."""
        ...

    @property
    def values(self) -> Sequence[tuple[str, AttributeValue]]:
        """Its values by field."""
        ...

    def tokens(self, view: str, field: str) -> list[tuple[Sequence[Token], int]]:
        """The tokens of each run of text, with the run's boost."""
        ...


class TreeEvaluator:
    """Evaluates nodes on one asset."""

    def __init__(
        self, statistics: Callable[[Collection[Term]], TermStatistics], entry: Entry
    ) -> None:
        self._statistics = statistics
        self._entry = entry

    def score(self, node: Node) -> float | None:
        """The asset's score; ``None`` when it does not match."""
        match node:
            case Term() | Phrase() | PhrasePrefix():
                return self._text(node)
            case Filtered():
                return 0.0 if matches(node.where, self._entry.values) else None
            case Constant():
                return None if self.score(node.node) is None else node.score
            case Boost():
                score = self.score(node.node)
                return None if score is None else score * node.factor
            case Prefer():
                score = self.score(node.node)
                better = score is not None and self.score(node.better) is not None
                return score + node.bonus if score is not None and better else score
            case _:
                return self._several(node)

    def _several(self, node: All | Any | BestOf) -> float | None:
        scores = [self.score(part) for part in node.nodes]
        found = [score for score in scores if score is not None]
        if not found or (isinstance(node, All) and len(found) < len(scores)):
            return None
        if isinstance(node, BestOf):
            return max(found) + node.tie_breaker * (sum(found) - max(found))
        return sum(found)

    def _text(self, node: Term | Phrase | PhrasePrefix) -> float | None:
        if isinstance(node, Term) and node.view == "names":
            return 1.0 if node.text in self._entry.names else None
        runs = self._entry.tokens(node.view, node.field)
        count = sum(_occurrences(node, tokens) * boost for tokens, boost in runs)
        return count / (count + _K1) * self._idf(node) if count else None

    def _idf(self, node: Term | Phrase | PhrasePrefix) -> float:
        texts = (node.text,) if isinstance(node, Term) else node.terms
        terms = [Term(node.view, text, node.field) for text in texts]
        statistics = self._statistics(terms)
        return sum(map(statistics.idf, terms)) + 0.01


def _occurrences(node: Term | Phrase | PhrasePrefix, tokens: Sequence[Token]) -> int:
    if isinstance(node, Term):
        return sum(token.text == node.text for token in tokens)
    if isinstance(node, Phrase) and node.slop:
        return int(_is_near(tokens, node.terms, node.slop))
    open_end = isinstance(node, PhrasePrefix)
    return len(find_sequence(tokens, list(node.terms), open_end=open_end))


def _is_near(tokens: Sequence[Token], terms: Sequence[str], slop: int) -> bool:
    """Whether the terms stand so that moving them by ``slop`` places makes them a phrase."""
    at: dict[str, list[int]] = defaultdict(list)
    for token in tokens:
        at[token.text].append(token.position)
    for places in product(*(at.get(term, ()) for term in terms)):
        shifts = [place - wanted for wanted, place in enumerate(places)]
        if max(shifts) - min(shifts) <= slop:
            return True
    return False
