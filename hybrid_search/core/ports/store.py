"""The seam between the pipelines and a store.

The indexing and the query pipeline exist once. A store is a folder on this machine, a cluster, or
memory; the pipelines cannot tell which. Nothing here assumes numbers that one process hands out, a
local folder, or separate indexes for words and vectors.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from hybrid_search.core.arrays import Vectors
from hybrid_search.core.assets import AssetId, Digest, Ordinal, PictureFacts, StoredAsset
from hybrid_search.core.candidate_lists import ListName
from hybrid_search.core.candidates import Flags, Floats, Retrieved
from hybrid_search.core.notes import Note
from hybrid_search.core.ports.catalog import Draft, Subject
from hybrid_search.core.query_tree import Binding, Node, Term, TermStatistics, Words
from hybrid_search.core.results import Facet
from hybrid_search.core.similarity_baseline import SimilarityBaseline
from hybrid_search.core.similarity_calibration import SimilarityCalibration


@dataclass(frozen=True, slots=True)
class ListPlan:
    """How one candidate list is retrieved."""

    name: ListName
    window: int
    """The most candidates it may have."""
    vector: Vectors | None = None
    """``(d,)`` float32, L2-normalised: for lists of nearest neighbours."""
    floor: float | None = None
    """Candidates with a lower score are left out; ``None`` keeps all."""
    cut: float | None = None
    """The score from which on a candidate matches: a cosine, or for words the share of their
    information; ``None`` where the list makes no asset match."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled query: what a store retrieves at once."""

    lists: tuple[ListPlan, ...] = ()
    words: Words | None = None
    """Of the list ``lexical``; without them it holds the newest assets."""
    phrases: tuple[Node, ...] = ()
    """The quoted phrases: of the list ``phrase``, and counted for every candidate."""
    binding: Binding = field(default_factory=Binding)
    """What every candidate of the lists of words and vectors must satisfy."""
    without: frozenset[AssetId] = frozenset()
    """Assets that no list shows: the examples of the query."""

    @property
    def browses(self) -> bool:
        """Whether nothing is asked but the binding, so that every asset within it matches."""
        vectors = any(part.vector is not None for part in self.lists)
        return self.words is None and not self.phrases and not vectors


@dataclass(frozen=True, slots=True)
class ListStatistics:
    """What is known of the vectors behind a list."""

    vectors: int
    """How many live ones there are."""
    baseline: SimilarityBaseline | None
    """How similar unrelated ones are; ``None`` before it was measured."""
    version: str
    """Changes with every measurement."""
    calibration: SimilarityCalibration
    """The probability of a similarity, given the baseline."""

    @property
    def calibrated(self) -> bool:
        """Whether the baseline is known, or there are no vectors."""
        return self.baseline is not None or not self.vectors


@dataclass(frozen=True, slots=True)
class IndexStatistics:
    """What planning and confidence need to know of the whole index."""

    assets: int
    """How many live assets there are."""
    terms: TermStatistics
    lists: Mapping[ListName, ListStatistics]


@dataclass(frozen=True, slots=True)
class Matched:
    """The assets that match a query, counted."""

    total: int
    facets: Mapping[str, Facet]


class Completion(NamedTuple):
    """A suggestion for what is being typed."""

    text: str
    assets: int
    """How many assets have it."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Evidence for given assets, whether a list's window reached them or not."""

    lists: Mapping[ListName, Floats]
    """For each planned list ``(n,)`` float64, NaN where the asset does not match."""
    admitted: np.ndarray[tuple[int], np.dtype[np.bool_]]
    """``(n,)``: whether the asset satisfies the filter and the binding operators."""


class View(Protocol):
    """One version of the index: every call sees the same one.

    Only ``fetch`` and ``find`` see later deletions, so that nobody is shown a deleted asset.
    """

    @property
    def version(self) -> int:
        """The number of the last operation that the view sees."""
        ...

    @property
    def text_version(self) -> Hashable:
        """Equal for views with the same text, so that compiled queries can be reused."""
        ...

    @property
    def unavailable(self) -> Mapping[ListName, Note]:
        """The candidate lists that this index cannot answer, each with the reason."""
        ...

    def statistics(
        self, terms: Collection[Term] = (), lists: Collection[ListName] = ()
    ) -> IndexStatistics:
        """Document frequencies of the terms, and what is known of the lists' vectors."""
        ...

    def vectors(self, ids: Sequence[AssetId], name: ListName) -> dict[AssetId, Vectors]:
        """The vectors ``(d,)`` of these assets in the list; those without one are left out."""
        ...

    def retrieve(self, plan: Plan) -> Retrieved:
        """Every list of the plan, in its order, each to its window; only live assets."""
        ...

    def score(self, plan: Plan, arrivals: Sequence[int]) -> Scores:
        """The scores of these versions in every list of the plan."""
        ...

    def matched(
        self, plan: Plan, also: Sequence[int], fields: Sequence[str], limit: int
    ) -> Matched:
        """How many assets match, and which values they have in the fields, as they spell them.

        An asset within the binding matches when it is among ``also`` or reaches the cut of a list
        of the plan: it holds every phrase, at least that share of the words' information or the
        name, or its vector is at least that similar. A list of words without words matches every
        asset. The examples of the plan never match. Values of most assets come first, then by
        value; texts that differ only in case count as one. At most ``limit`` values a field.
        """
        ...

    def matches(self, plan: Plan, arrivals: Sequence[int]) -> Flags:
        """``(n,)``: whether each of these versions reaches the cut of a list; see ``matched``."""
        ...

    def fetch(self, arrivals: Sequence[int]) -> dict[int, StoredAsset]:
        """The live versions among these; others are left out."""
        ...

    def find(self, asset_id: AssetId) -> StoredAsset | None:
        """The live version of the asset."""
        ...

    def complete(self, typed: str, limit: int) -> tuple[Completion, ...]:
        """Names and words that begin as typed, those of most assets first, then by alphabet.

        Unfinished syllables, initial consonants and the other keyboard layout count as well.
        """
        ...

    def near_words(self, words: Sequence[str], limit: int) -> dict[str, tuple[str, ...]]:
        """Words of the index that are spelled nearly like each of these, likeliest first.

        Words that nothing is near are left out.
        """
        ...


class Embeddings(Protocol):
    """Vectors by model and digest of what was embedded, kept across rebuilds."""

    def embeddings(self, model: str, digests: Sequence[Digest]) -> dict[Digest, Vectors]:
        """The stored vectors ``(d,)``; unknown ones are left out."""
        ...

    def store_embeddings(self, model: str, vectors: Mapping[Digest, Vectors]) -> None:
        """Keep one vector ``(d,)`` for each digest and model, durably; an existing one stays."""
        ...

    def embedded(self, model: str, digests: Sequence[Digest]) -> dict[Digest, PictureFacts]:
        """The facts of those pictures that were stored and have a vector of that model."""
        ...

    def unembedded(self, model: str, subject: Subject = "picture") -> dict[Digest, Ordinal]:
        """What of live assets lacks a vector of that model, with a live version that has it."""
        ...

    def fetch(self, ordinals: Sequence[Ordinal]) -> dict[Ordinal, StoredAsset]:
        """The versions with these numbers, deleted ones included."""
        ...


class Store(Protocol):
    """Where assets are kept and searched.

    Writes are idempotent, durable when they return, and seen by every later view.
    """

    @property
    def embeddings(self) -> Embeddings:
        """The vectors of what was embedded."""
        ...

    def view(self) -> View:
        """The newest version of the index."""
        ...

    def contents(self, ids: Sequence[AssetId]) -> dict[AssetId, Digest]:
        """The content hash of each id that is live."""
        ...

    def put(self, drafts: Iterable[Draft]) -> list[Ordinal]:
        """Store new versions, all or none; their numbers in the order of the drafts."""
        ...

    def delete(self, ids: Sequence[AssetId]) -> list[AssetId]:
        """The ids that were live and are deleted now."""
        ...

    def settle(self) -> None:
        """Do what waits for the last of many writes."""
        ...

    def recover(self) -> None:
        """Finish writes that failed after they were durable; mostly nothing."""
        ...
