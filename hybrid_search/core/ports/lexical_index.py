"""The inverted index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from hybrid_search.analysis.query_parser import ParsedQuery
from hybrid_search.core import (
    Asset,
    Filter,
    Ordinal,
    Span,
    StoredAsset,
)
from hybrid_search.core.arrays import Ordinals


@dataclass(frozen=True, slots=True)
class LexicalMatches:
    """Matches of a lexical search, best first; equal ones stand in order of ordinal."""

    ordinals: tuple[Ordinal, ...]
    scores: tuple[float, ...]
    total: int
    """How many assets match, beyond the limit too."""
    shares: tuple[float, ...] = ()
    """Of a search for words: how much of the query's information each match holds, 0 to 1."""
    whole: tuple[bool, ...] = ()
    """Of a search for words: whether a name of the match is what was asked, no more, no less."""
    information: float = 0.0
    """What the words of the query say together, in nats: the sum of their idf."""


class FacetBucket(NamedTuple):
    """One value of a field among the matches."""

    example: Ordinal
    """One of the assets that hold it, to show the value as it is spelt there."""
    key: str
    """The value in the one spelling that ``facet_key`` gives it."""
    assets: int
    """How many hold it."""


class Completion(NamedTuple):
    """A suggestion for what is being typed."""

    text: str
    assets: int
    """How many assets hold it."""


class LexicalIndex(Protocol):
    """The inverted index: exact phrases, words ranked by BM25, and filters.

    Writes are visible and durable after ``commit``. A search sees one commit from begin to end.
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
    def watermark(self) -> int:
        """The watermark of the commit that searches see; 0 for a new index."""
        ...

    @property
    def fingerprint(self) -> str:
        """Names the analyser (name, version, user words) that this index is built with."""
        ...

    def words(
        self,
        query: ParsedQuery,
        limit: int,
        where: Filter | None = None,
        among: Sequence[Ordinal] | None = None,
        *,
        require_all: bool = False,
    ) -> LexicalMatches:
        """The assets that match the query's words and operators.

        First those of which a name is what was asked, then those that hold the larger share of
        its information, in sixtieths; among equals BM25 decides. A name is a title, in any
        language, a brand, a campaign or a tag, of the fields boosted most. ``where`` must match
        but does not score; ``among`` restricts to these versions; ``require_all`` keeps to assets
        that match every word.
        """
        ...

    def phrase(
        self,
        phrase: str,
        limit: int,
        where: Filter | None = None,
        among: Sequence[Ordinal] | None = None,
    ) -> LexicalMatches:
        """The assets that contain the phrase; written with the same spacing before the rest.

        Inside either group the BM25 score of the phrase decides.
        """
        ...

    def allowed(self, query: ParsedQuery | None, where: Filter | None) -> Ordinals | None:
        """The ordinals, ascending, that every list must keep to; ``None`` for no restriction.

        They match the filter and the query's binding operators: ``+must``, ``-not`` and
        ``field:value``.
        """
        ...

    def highlight(self, query: ParsedQuery, asset: Asset) -> tuple[Span, ...]:
        """Where the asset's copy matches, in order of field and start, without overlaps."""
        ...

    def facet(
        self,
        field: str,
        query: ParsedQuery,
        where: Filter | None,
        also: Sequence[Ordinal],
        limit: int,
    ) -> tuple[FacetBucket, ...]:
        """The field's values over all assets that match the words or are among ``also``.

        Without words and ``also``, over all that the filter matches. Those of most assets
        first; texts that differ in case only count as one.
        """
        ...

    def complete(self, typed: str, limit: int) -> tuple[Completion, ...]:
        """Names and words that begin as typed, those of most assets first, then by alphabet.

        Unfinished syllables, initial consonants and the other keyboard layout count as well.
        """
        ...

    def corrections(self, query: ParsedQuery, limit: int = 3) -> tuple[str, ...]:
        """The query with its unknown words replaced by near ones, likeliest first.

        Empty when every word is known, or nothing is near.
        """
        ...

    def ordinals(self) -> Ordinals:
        """All versions that a search sees, ascending."""
        ...

    def count(self) -> int:
        """The number of versions that a search sees."""
        ...

    def refresh(self) -> None:
        """See what another process has committed."""
        ...

    def close(self) -> None:
        """Finish background merges and release the files."""
        ...
