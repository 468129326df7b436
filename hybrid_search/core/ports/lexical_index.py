"""The inverted index of a store on one machine."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from hybrid_search.core.arrays import Ordinals
from hybrid_search.core.assets import Ordinal, StoredAsset
from hybrid_search.core.filters import Filter
from hybrid_search.core.ports.store import Completion
from hybrid_search.core.query_tree import Binding, MatchedSet, Node, Term, TermStatistics, Words

PARTIAL = 0.5
"""What a share of the information is worth that only parts of words hold."""


@dataclass(frozen=True, slots=True)
class LexicalMatches:
    """Matches of a lexical search, best first; equal ones in order of ordinal."""

    ordinals: tuple[Ordinal, ...]
    scores: tuple[float, ...]
    total: int
    """How many assets match, beyond the limit too."""
    shares: tuple[float, ...] = ()
    """Of a words query: the share of its information that each match holds, 0 to 1."""
    named: tuple[bool, ...] = ()
    """Of a words query: whether a name of the match is the query, no more and no less."""
    information: float = 0.0
    """The information of the words together, in nats."""

    def extended(self, wide: LexicalMatches, limit: int) -> LexicalMatches:
        """These matches, then those that only the wider query found, at half their share."""
        known = set(self.ordinals)
        rest = [place for place, ordinal in enumerate(wide.ordinals) if ordinal not in known]
        rest = rest[: max(0, limit - len(self.ordinals))]
        return LexicalMatches(
            (*self.ordinals, *(wide.ordinals[place] for place in rest)),
            (*self.scores, *(wide.scores[place] for place in rest)),
            max(self.total, wide.total),
            (*self.shares, *(wide.shares[place] * PARTIAL for place in rest)),
            (*self.named, *(False for _ in rest)),
            self.information,
        )


class FacetBucket(NamedTuple):
    """One value of a field among the matches."""

    example: Ordinal
    """One of the assets that have it, to show the value as it is spelled there."""
    key: str
    """The value in the one spelling that ``facet_key`` gives it."""
    assets: int
    """How many have it."""


class FacetBuckets(NamedTuple):
    """The values of a field among the matches."""

    buckets: tuple[FacetBucket, ...]
    """Those of most assets first, then by key."""
    having: int
    """How many of the matches have any value of the field."""
    listed: int
    """How many have a value of the buckets."""


class LexicalSnapshot(Protocol):
    """One commit of the index; nothing in it changes."""

    @property
    def watermark(self) -> int:
        """The last operation that is in; 0 for a new index."""
        ...

    @property
    def token(self) -> Hashable:
        """Equal for snapshots of the same commit."""
        ...

    def statistics(self, terms: Collection[Term]) -> TermStatistics:
        """The document frequency of each term."""
        ...

    def words(
        self,
        query: Words,
        limit: int,
        where: Filter | None = None,
        among: Sequence[Ordinal] | None = None,
    ) -> LexicalMatches:
        """The assets that match the words.

        First those of which a name is the query, then those with the larger share of its
        information, in sixtieths; among equals BM25 decides. Where fewer than ``WIDEN_BELOW``
        assets match without a filter, those of the wide query follow. ``where`` must match but does
        not score; ``among`` restricts to these versions.
        """
        ...

    def phrase(
        self,
        phrase: Node,
        limit: int,
        binding: Binding | None = None,
        among: Sequence[Ordinal] | None = None,
    ) -> LexicalMatches:
        """The assets that match the node, by its score, within the binding."""
        ...

    def allowed(self, binding: Binding) -> Ordinals | None:
        """The ordinals that satisfy the binding, ascending; ``None`` when it restricts nothing."""
        ...

    def matching(self, matched: MatchedSet) -> int:
        """How many assets are in the matched set."""
        ...

    def members(self, matched: MatchedSet, wanted: Sequence[Ordinal]) -> set[Ordinal]:
        """Those of these versions that are in the matched set."""
        ...

    def facet(self, field: str, matched: MatchedSet, limit: int) -> FacetBuckets:
        """The field's values in the matched set, at most ``limit`` of them."""
        ...

    def complete(self, typed: str, limit: int) -> tuple[Completion, ...]:
        """Names and words that begin as typed; see ``View.complete``."""
        ...

    def near_words(self, words: Sequence[str], limit: int) -> dict[str, tuple[str, ...]]:
        """Words of the index spelled nearly like each of these; see ``View.near_words``."""
        ...

    def ordinals(self) -> Ordinals:
        """All versions, ascending."""
        ...

    def count(self) -> int:
        """The number of versions."""
        ...


class LexicalIndex(Protocol):
    """The inverted index: writes, and snapshots to read.

    Writes are visible and durable after ``commit``.
    """

    def add(self, entries: Iterable[StoredAsset]) -> None:
        """Index these versions; those that are there already are replaced."""
        ...

    def remove(self, ordinals: Iterable[Ordinal]) -> None:
        """Forget these versions; unknown ones are no error."""
        ...

    def commit(self, watermark: int) -> None:
        """Make all since the last commit visible and durable, and remember the watermark."""
        ...

    @property
    def fingerprint(self) -> str:
        """Names the analyzer (name, version, user words) that this index is built with."""
        ...

    def snapshot(self) -> LexicalSnapshot:
        """The last commit that was seen."""
        ...

    def refresh(self) -> None:
        """See what another process has committed."""
        ...

    def close(self) -> None:
        """Finish background merges and release the files."""
        ...
