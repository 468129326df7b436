"""A view over separate indexes in one process: words, vectors and a catalog.

The embedded store and the memory store are built so; a cluster answers a plan by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hybrid_search.analysis.facet_key import facet_key
from hybrid_search.core import (
    AssetId,
    FacetValue,
    ListName,
    Note,
    Ordinal,
    StoredAsset,
)
from hybrid_search.core.arrays import Ordinals, Vectors
from hybrid_search.core.candidates import (
    LISTS,
    CandidateList,
    Flags,
    Floats,
    Integers,
    Retrieved,
)
from hybrid_search.core.deadline import stage
from hybrid_search.core.field_schema import Fields
from hybrid_search.core.ports.catalog import Catalog
from hybrid_search.core.ports.lexical_index import FacetBucket, LexicalSnapshot
from hybrid_search.core.ports.store import (
    Completion,
    IndexStatistics,
    ListPlan,
    ListStatistics,
    Plan,
    Scores,
)
from hybrid_search.core.ports.vector_index import VectorReads
from hybrid_search.core.query_tree import Term
from hybrid_search.core.similarity_baseline import SimilarityBaseline


@dataclass(frozen=True, slots=True)
class VectorSource:
    """The vectors behind a candidate list."""

    index: VectorReads
    baseline: SimilarityBaseline | None = None
    """How similar unrelated vectors are; ``None`` before it was measured."""
    version: str = ""
    """Changes with every measurement of the baseline."""


@dataclass(frozen=True, slots=True)
class _Found:
    """One list by ordinals, before rows are known."""

    plan: ListPlan
    ordinals: Integers
    scores: Floats
    total: int | None
    how: str
    shares: Floats | None = None
    named: Flags | None = None
    information: float = 0.0


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
        self._fields = fields
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
            name: ListStatistics(source.index.count(), source.baseline, source.version)
            for name, source in sources.items()
        }
        return IndexStatistics(self._text.count(), self._text.statistics(terms), known)

    def vectors(self, ids: Sequence[AssetId], name: ListName) -> dict[AssetId, Vectors]:
        stored = {one: self._catalog.find(one) for one in ids}
        index = self._vectors[name].index
        rows = {one: index.vector(v.ordinal) for one, v in stored.items() if v is not None}
        return {one: row for one, row in rows.items() if row is not None}

    # ---------------------------------------------------------------------------- retrieve

    def retrieve(self, plan: Plan) -> Retrieved:
        with stage("filter"):
            allowed = self._text.allowed(plan.binding)
        without = self._ordinals_of(plan.without)
        found = [
            self._without(without, self._find(part, plan, allowed, len(without)))
            for part in plan.lists
        ]
        candidates = _unique([part.ordinals for part in found])
        live = self._live(candidates)
        lists = [_as_rows(part, live) for part in found]
        has_text, has_picture = self._modalities(lists, live)
        return Retrieved(
            arrivals=live,
            phrases=self._phrases_held(plan, live),
            has_text=has_text,
            has_picture=has_picture,
            lists=tuple(lists),
            information=max((part.information for part in found), default=0.0),
            among=None if allowed is None else len(allowed),
        )

    def _ordinals_of(self, ids: Collection[AssetId]) -> set[Ordinal]:
        found = [self._catalog.find(one) for one in ids]
        return {stored.ordinal for stored in found if stored is not None}

    def _live(self, candidates: Integers) -> Integers:
        """Those that were not deleted since an index saw them."""
        wanted = [Ordinal(ordinal) for ordinal in candidates.tolist()]
        live = self._catalog.live(wanted)
        if len(live) == len(wanted):
            return candidates
        return np.array([ordinal for ordinal in wanted if ordinal in live], np.int64)

    def _find(self, part: ListPlan, plan: Plan, allowed: Ordinals | None, spare: int) -> _Found:
        source = LISTS[part.name].source
        if source == "phrases":
            with stage("words"):
                return self._phrase_list(part, plan)
        if source == "words":
            with stage("words"):
                return self._word_list(part, plan, allowed)
        with stage("vectors"):
            return self._nearest(part, allowed, spare)

    def _phrase_list(self, part: ListPlan, plan: Plan) -> _Found:
        """Assets with most phrases first, then by the sum of their scores."""
        held: dict[Ordinal, list[float]] = {}
        totals = []
        for phrase in plan.phrases:
            found = self._text.phrase(phrase, part.window, plan.binding.where)
            totals.append(found.total)
            for ordinal, score in zip(found.ordinals, found.scores, strict=True):
                held.setdefault(ordinal, []).append(score)
        best = sorted(held, key=lambda o: (-len(held[o]), -sum(held[o]), o))[: part.window]
        total = len(held) if max(totals, default=0) <= part.window else max(totals)
        scores = [sum(held[ordinal]) for ordinal in best]
        return _Found(part, _integers(best), np.array(scores, np.float64), total, "exact phrase")

    def _word_list(self, part: ListPlan, plan: Plan, allowed: Ordinals | None) -> _Found:
        if plan.words is None:
            return self._newest(part, allowed)
        found = self._text.words(plan.words, part.window, plan.binding.where)
        return _Found(
            part,
            _integers(found.ordinals),
            np.array(found.scores, np.float64),
            found.total,
            "BM25",
            np.array(found.shares, np.float64),
            np.array(found.named, np.bool_),
            found.information,
        )

    def _newest(self, part: ListPlan, allowed: Ordinals | None) -> _Found:
        """The newest assets, for a query without words and pictures."""
        if allowed is None:
            newest = _integers(self._catalog.newest(part.window))
        else:
            newest = allowed[::-1][: part.window]
        return _Found(part, newest, np.zeros(len(newest)), len(newest), "newest first")

    def _nearest(self, part: ListPlan, allowed: Ordinals | None, spare: int) -> _Found:
        """The nearest vectors, ``spare`` more than the window: so many may be left out."""
        if part.vector is None:
            raise ValueError(f"{part.name}: a list of nearest neighbours needs a vector")
        source = self._vectors[part.name].index
        found = source.search(part.vector, part.window + spare, allowed)
        ordinals, scores = _integers(found.ordinals), np.array(found.scores, np.float64)
        if part.floor is None:
            return _Found(part, ordinals, scores, None, found.plan)
        count = int(np.searchsorted(-scores, -part.floor, side="right"))
        total = count if count < len(scores) else None
        how = f"{found.plan}, from {part.floor} up"
        return _Found(part, ordinals[:count], scores[:count], total, how)

    @staticmethod
    def _without(own: set[Ordinal], found: _Found) -> _Found:
        """The list without these, cut to its window."""
        if not own:
            return found
        kept = np.flatnonzero(~np.isin(found.ordinals, list(own)))
        gone, kept = len(found.ordinals) - len(kept), kept[: found.plan.window]
        return _Found(
            found.plan,
            found.ordinals[kept],
            found.scores[kept],
            None if found.total is None else found.total - gone,
            found.how,
            None if found.shares is None else found.shares[kept],
            None if found.named is None else found.named[kept],
            found.information,
        )

    def _phrases_held(self, plan: Plan, candidates: Integers) -> Integers:
        held = np.zeros(len(candidates), np.int64)
        among = [Ordinal(ordinal) for ordinal in candidates.tolist()]
        for phrase in plan.phrases:
            found = self._text.phrase(phrase, len(among), among=among)
            held[np.searchsorted(candidates, _integers(found.ordinals))] += 1
        return held

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
            {part.name: self._scores(part, plan, wanted) for part in plan.lists},
            np.ones(len(wanted), np.bool_) if allowed is None else np.isin(wanted, allowed),
        )

    def _scores(self, part: ListPlan, plan: Plan, wanted: Sequence[Ordinal]) -> Floats:
        source, known = LISTS[part.name].source, dict[Ordinal, float]()
        if source == "phrases":
            for phrase in plan.phrases:
                found = self._text.phrase(phrase, len(wanted), among=wanted)
                for ordinal, score in zip(found.ordinals, found.scores, strict=True):
                    known[ordinal] = known.get(ordinal, 0.0) + score
        elif source == "words" and plan.words is not None:
            found = self._text.words(plan.words, len(wanted), among=wanted)
            known = dict(zip(found.ordinals, found.scores, strict=True))
        elif part.vector is not None:
            known = self._vectors[part.name].index.similarities(part.vector, wanted)
        return np.array([known.get(ordinal, np.nan) for ordinal in wanted], np.float64)

    # ------------------------------------------------------------------------------ facets

    def facets(
        self, plan: Plan, also: Sequence[int], fields: Sequence[str], limit: int
    ) -> dict[str, tuple[FacetValue, ...]]:
        more = [Ordinal(arrival) for arrival in also]
        return {
            field: self._spelled(
                field, self._text.facet(field, plan.words, plan.binding, more, limit)
            )
            for field in fields
        }

    def _spelled(self, field: str, buckets: Sequence[FacetBucket]) -> tuple[FacetValue, ...]:
        examples = self._catalog.fetch([bucket.example for bucket in buckets])
        found = [
            FacetValue(value, bucket.assets)
            for bucket in buckets
            for value in self._values(examples[bucket.example], field)
            if facet_key(value) == bucket.key
        ]
        return tuple(sorted(found, key=lambda f: (-f.assets, str(f.value))))

    def _values(self, stored: StoredAsset, field: str) -> list[str | int | float | bool]:
        """The values that the asset has in the field; of equal ones the first."""
        found: dict[str, str | int | float | bool] = {}
        for name, value in self._fields.values_of(stored):
            for single in value if isinstance(value, tuple) else (value,):
                if name == field:
                    found.setdefault(facet_key(single), single)
        return list(found.values())

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


def _integers(values: Sequence[int]) -> Integers:
    return np.array(values, np.int64)


def _unique(columns: Sequence[Integers]) -> Integers:
    return np.unique(np.concatenate(columns)) if columns else np.empty(0, np.int64)


def _as_rows(found: _Found, live: Integers) -> CandidateList:
    """The list by rows of the live candidates."""
    rows = np.searchsorted(live, found.ordinals)
    kept = np.flatnonzero(np.append(live, -1)[rows] == found.ordinals)
    part = CandidateList(
        found.plan.name,
        rows,
        found.scores,
        found.plan.window,
        found.total,
        found.how,
        found.shares,
        found.named,
    )
    return part if len(kept) == len(rows) else part.at(kept, part.window)
