"""A text query as a neutral tree, which every store translates to its own queries.

The search package compiles what was typed into these nodes once (``search/query_tree.py``); a store
translates them node by node and knows nothing of the query language. All terms are analysed
already. A node says which assets match, and how much each scores.

Terms live in three views of an asset's text: ``surface`` (the words as written, with marks at
their edges, for exact phrases), ``lemmas`` (dictionary forms and parts of compounds, for ranking)
and ``names`` (whole titles, brands, campaigns and tags in one spelling).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from hybrid_search.core.filters import Filter

ViewName = Literal["surface", "lemmas", "names"]

SHARE_UNITS = 60
"""Into how many units the information of a query's words is divided, about."""
WIDEN_BELOW = 20
"""With fewer matches than this, parts of words are searched as well."""


@dataclass(frozen=True, slots=True)
class Term:
    """Assets with the term, scored by BM25; ``field`` restricts it to one field's text."""

    view: ViewName
    text: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Assets with the terms one after the other, at most ``slop`` moves apart.

    One term is the term itself; no terms match nothing.
    """

    view: ViewName
    terms: tuple[str, ...]
    slop: int = 0
    field: str = ""


@dataclass(frozen=True, slots=True)
class PhrasePrefix:
    """Like ``Phrase`` without slop, but the last term is only the beginning of one."""

    view: ViewName
    terms: tuple[str, ...]
    field: str = ""


@dataclass(frozen=True, slots=True)
class All:
    """Assets that match every node; the scores are added."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """Assets that match any node; the scores of those that match are added. None without nodes."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class BestOf:
    """Assets that match any node; the best score counts, and a tenth of the others."""

    nodes: tuple[Node, ...]
    tie_breaker: float = 0.1


@dataclass(frozen=True, slots=True)
class Prefer:
    """Assets that match ``node``; those that match ``better`` too score ``bonus`` more."""

    node: Node
    better: Node
    bonus: float


@dataclass(frozen=True, slots=True)
class Constant:
    """The same assets, each with this score."""

    node: Node
    score: float


@dataclass(frozen=True, slots=True)
class Boost:
    """The same assets, each with its score times the factor."""

    node: Node
    factor: float


@dataclass(frozen=True, slots=True)
class Filtered:
    """Assets that the filter matches, with a score of 0."""

    where: Filter


Node = Term | Phrase | PhrasePrefix | All | Any | BestOf | Prefer | Constant | Boost | Filtered


@dataclass(frozen=True, slots=True)
class Binding:
    """What every candidate of every list must satisfy; scores do not count."""

    required: tuple[Node, ...] = ()
    """From ``+word`` and ``field:value``."""
    excluded: tuple[Node, ...] = ()
    """From ``-word``."""
    where: Filter | None = None

    def __bool__(self) -> bool:
        """Whether anything is restricted."""
        return bool(self.required or self.excluded) or self.where is not None


@dataclass(frozen=True, slots=True)
class WeightedNode:
    """One word of a query."""

    node: Node
    information: float
    """What a match says, in nats: the idf of the word's rarest part."""
    ceiling: float
    """An upper bound of the node's score."""


@dataclass(frozen=True, eq=False)
class WordsQuery:
    """The words of a query with their weights. Compared and hashed by identity.

    An asset matches with any of the words (all of them with ``require_all``) and everything that is
    required, and without what is excluded. Its *share* is the part of the query's information that
    it holds; it *is named so* when it matches ``name``.
    """

    words: tuple[WeightedNode, ...]
    required: tuple[Node, ...] = ()
    excluded: tuple[Node, ...] = ()
    required_information: tuple[float, ...] = ()
    """Of each required word: every match holds it."""
    name: Node | None = None
    """Matches assets whose whole title, brand, campaign or tag is the query; ``None`` for none."""
    require_all: bool = False

    @cached_property
    def information(self) -> float:
        """Of all words together, in nats."""
        return math.fsum([*(word.information for word in self.words), *self.required_information])

    @cached_property
    def units(self) -> tuple[int, ...]:
        """The units of information of each word; 0 for one that nearly every asset holds."""
        return tuple(self._units(word.information) for word in self.words)

    @cached_property
    def required_units(self) -> int:
        """The units that every match holds."""
        return sum(self._units(value) for value in self.required_information)

    @cached_property
    def all_units(self) -> int:
        """The units of all words; 0 where every match holds all, so that each share is 1."""
        several = len(self.words) + bool(self.required_information) > 1
        return self.required_units + sum(self.units) if several and not self.require_all else 0

    def _units(self, information: float) -> int:
        return round(SHARE_UNITS * information / self.information) if self.information else 0


class Words:
    """A words query, and the wider one for queries with few matches, compiled on first use."""

    def __init__(self, narrow: WordsQuery, widen: Callable[[], WordsQuery]) -> None:
        self.narrow = narrow
        self._widen = widen

    @cached_property
    def wide(self) -> WordsQuery:
        """Also matches words that begin with a wanted word or contain it, for a lower score."""
        return self._widen()


@dataclass(frozen=True, slots=True)
class MatchedSet:
    """The assets that match a query: those within the binding that satisfy any of the rest."""

    binding: Binding = field(default_factory=Binding)
    words: Words | None = None
    share: float = 0.0
    """The least share of the information of ``words``; an asset named so matches with any."""
    node: Node | None = None
    among: Sequence[int] = ()
    """Versions that match by their vectors, or are known to match."""
    without: Sequence[int] = ()
    """Versions that never match: the examples of the query."""
    everything: bool = False
    """Whether every asset matches, as for an empty query."""


@dataclass(frozen=True, slots=True)
class TermStatistics:
    """Document frequencies over the whole index, not a part of it."""

    documents: int
    frequencies: Mapping[Term, int]

    def idf(self, term: Term) -> float:
        """The inverse document frequency in nats, as BM25 has it.

        ln(1 + (N - n + .5) / (n + .5)), for a term in n of N documents.

        >>> round(TermStatistics(9, {Term("lemmas", "shoe"): 1}).idf(Term("lemmas", "shoe")), 3)
        1.897
        """
        held = self.frequencies[term]
        return math.log1p((self.documents - held + 0.5) / (held + 0.5))

    def knows(self, term: Term) -> bool:
        """Whether any asset has the term."""
        return self.frequencies[term] > 0
