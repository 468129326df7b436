"""A view over separate indexes in one process: words, vectors and a catalog.

The embedded store and the memory store are built so; a cluster answers a plan by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence

import numpy as np

from hybrid_search.core import LISTS, AssetId, ListName, Note, Ordinal, StoredAsset
from hybrid_search.core.arrays import Vectors
from hybrid_search.core.candidates import CandidateList, Flags, Integers, Retrieved
from hybrid_search.core.deadline import stage
from hybrid_search.core.field_schema import Fields
from hybrid_search.core.ports.catalog import Catalog
from hybrid_search.core.ports.lexical_index import LexicalSnapshot
from hybrid_search.core.ports.store import (
    Completion,
    IndexStatistics,
    ListStatistics,
    Matched,
    Plan,
    Scores,
)
from hybrid_search.core.query_tree import Term
from hybrid_search.core.similarity_calibration import GENERAL
from hybrid_search.stores.local.list_retriever import ListRetriever, VectorSource
from hybrid_search.stores.local.matched_counts import MatchedCounts


class LocalView:
    """A ``View`` that asks each index for its lists and joins them into rows."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        text: LexicalSnapshot,
        vectors: Mapping[ListName, VectorSource],
        fields: Fields,
        version: int,
        unavailable: Mapping[ListName, Note],
    ) -> None:
        self._catalog = catalog
        self._text = text
        self._vectors = vectors
        self._lists = ListRetriever(catalog, text, vectors)
        self._counts = MatchedCounts(catalog, text, self._lists, fields)
        self.version = version
        self.unavailable = unavailable

    @property
    def text_version(self) -> Hashable:
        return self._text.token

    def statistics(
        self, terms: Collection[Term] = (), lists: Collection[ListName] = ()
    ) -> IndexStatistics:
        sources = {name: self._vectors[name] for name in lists if name in self._vectors}
        known = {
            name: ListStatistics(
                source.index.count(),
                source.baseline,
                source.version,
                source.calibration or GENERAL[name],
            )
            for name, source in sources.items()
        }
        return IndexStatistics(self._text.count(), self._text.statistics(terms), known)

    def vectors(self, ids: Sequence[AssetId], name: ListName) -> dict[AssetId, Vectors]:
        stored = {one: self._catalog.find(one) for one in ids}
        index = self._vectors[name].index
        rows = {one: index.vector(v.arrival) for one, v in stored.items() if v is not None}
        return {one: row for one, row in rows.items() if row is not None}

    # ---------------------------------------------------------------------------- retrieve

    def retrieve(self, plan: Plan) -> Retrieved:
        with stage("filter"):
            allowed = self._text.allowed(plan.binding)
        without = self._ordinals_of(plan.without)
        found = [
            self._lists.find(part, plan, allowed, len(without)).without(without)
            for part in plan.lists
        ]
        live = self._live([part.ordinals for part in found])
        lists = [part.as_rows(live) for part in found]
        has_text, has_picture = self._modalities(lists, live)
        return Retrieved(
            arrivals=live,
            phrases=self._lists.phrases_held(plan, live),
            has_text=has_text,
            has_picture=has_picture,
            lists=tuple(lists),
            information=max((part.information for part in found), default=0.0),
            quoted=len(plan.phrases),
        )

    def _ordinals_of(self, ids: Collection[AssetId]) -> set[Ordinal]:
        found = [self._catalog.find(one) for one in ids]
        return {stored.arrival for stored in found if stored is not None}

    def _live(self, columns: Sequence[Integers]) -> Integers:
        """All candidates in rising order, without those deleted since an index saw them."""
        candidates = np.unique(np.concatenate(columns)) if columns else np.empty(0, np.int64)
        wanted = [Ordinal(ordinal) for ordinal in candidates.tolist()]
        live = self._catalog.live(wanted)
        if len(live) == len(wanted):
            return candidates
        return np.array([ordinal for ordinal in wanted if ordinal in live], np.int64)

    def _modalities(self, lists: Sequence[CandidateList], live: Integers) -> tuple[Flags, Flags]:
        text = self._modality("copy_semantic", lists, live)
        return text, self._modality("text_to_image", lists, live)

    def _modality(self, by: ListName, lists: Sequence[CandidateList], live: Integers) -> Flags:
        """Which candidates have what that list is about.

        Those in a list of the same modality do. The others are looked up in the list's index,
        unless every asset has a vector there.
        """
        has = np.ones(len(live), np.bool_)
        source = self._vectors.get(by)
        if source is None or source.index.count() >= self._text.count():
            return has
        has[:] = False
        for part in lists:
            if LISTS[part.name].modality == LISTS[by].modality:
                has[part.rows] = True
        others = [Ordinal(ordinal) for ordinal in live[~has].tolist()]
        if others:
            known = source.index.holds(others)
            has[~has] = [ordinal in known for ordinal in others]
        return has

    # ------------------------------------------------------------------------------- given

    def score(self, plan: Plan, arrivals: Sequence[int]) -> Scores:
        wanted = [Ordinal(arrival) for arrival in arrivals]
        allowed = self._text.allowed(plan.binding)
        return Scores(
            {part.name: self._lists.scores(part, plan, wanted) for part in plan.lists},
            np.ones(len(wanted), np.bool_) if allowed is None else np.isin(wanted, allowed),
        )

    # ------------------------------------------------------------------------------ matched

    def matched(
        self, plan: Plan, also: Sequence[int], fields: Sequence[str], limit: int
    ) -> Matched:
        without = sorted(self._ordinals_of(plan.without))
        return self._counts.of(plan, also, without, fields, limit)

    def matches(self, plan: Plan, arrivals: Sequence[int]) -> Flags:
        without = sorted(self._ordinals_of(plan.without))
        return self._counts.members(plan, without, [Ordinal(arrival) for arrival in arrivals])

    # ------------------------------------------------------------------------------- fetch

    def fetch(self, arrivals: Sequence[int]) -> dict[int, StoredAsset]:
        live = self._catalog.live([Ordinal(arrival) for arrival in arrivals])
        stored = self._catalog.fetch([Ordinal(a) for a in arrivals if a in live])
        return {int(ordinal): asset for ordinal, asset in stored.items()}

    def find(self, asset_id: AssetId) -> StoredAsset | None:
        return self._catalog.find(asset_id)

    def complete(self, typed: str, limit: int) -> tuple[Completion, ...]:
        return self._text.complete(typed, limit)

    def near_words(self, words: Sequence[str], limit: int) -> dict[str, tuple[str, ...]]:
        return self._text.near_words(words, limit)
