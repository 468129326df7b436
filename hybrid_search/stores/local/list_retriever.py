"""One candidate list at a time, from separate indexes in one process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hybrid_search.core import LISTS, ListName, Ordinal
from hybrid_search.core.arrays import Ordinals
from hybrid_search.core.candidates import CandidateList, Flags, Floats, Integers
from hybrid_search.core.deadline import stage
from hybrid_search.core.ports.catalog import Catalog
from hybrid_search.core.ports.lexical_index import LexicalSnapshot
from hybrid_search.core.ports.store import ListPlan, Plan
from hybrid_search.core.ports.vector_index import VectorMatches, VectorReads
from hybrid_search.core.similarity_baseline import SimilarityBaseline
from hybrid_search.core.similarity_calibration import SimilarityCalibration

MOST = 10_000
"""The most vectors of a list that can match."""


@dataclass(frozen=True, slots=True)
class VectorSource:
    """The vectors behind a candidate list."""

    index: VectorReads
    baseline: SimilarityBaseline | None = None
    """How similar unrelated vectors are; ``None`` before it was measured."""
    version: str = ""
    """Changes with every measurement of the baseline."""
    calibration: SimilarityCalibration | None = None
    """From similarity to probability; ``None`` for the general one of the list."""


@dataclass(frozen=True, slots=True)
class Found:
    """One list by ordinals of the catalog, before rows are known."""

    plan: ListPlan
    ordinals: Integers
    scores: Floats
    total: int | None
    how: str
    shares: Floats | None = None
    named: Flags | None = None
    information: float = 0.0

    def without(self, own: set[Ordinal]) -> Found:
        """The list without these, cut to its window."""
        if not own:
            return self
        kept = np.flatnonzero(~np.isin(self.ordinals, list(own)))
        gone, kept = len(self.ordinals) - len(kept), kept[: self.plan.window]
        return Found(
            self.plan,
            self.ordinals[kept],
            self.scores[kept],
            None if self.total is None else self.total - gone,
            self.how,
            None if self.shares is None else self.shares[kept],
            None if self.named is None else self.named[kept],
            self.information,
        )

    def as_rows(self, live: Integers) -> CandidateList:
        """The list by rows of the live candidates."""
        rows = np.searchsorted(live, self.ordinals)
        kept = np.flatnonzero(np.append(live, -1)[rows] == self.ordinals)
        part = CandidateList(
            self.plan.name,
            rows,
            self.scores,
            self.plan.window,
            self.total,
            self.how,
            self.shares,
            self.named,
        )
        return part if len(kept) == len(rows) else part.at(kept, part.window)


class ListRetriever:
    """Finds candidates and scores of each list of a plan, by the ordinals of the catalog."""

    def __init__(
        self, catalog: Catalog, text: LexicalSnapshot, vectors: Mapping[ListName, VectorSource]
    ) -> None:
        self._catalog = catalog
        self._text = text
        self._vectors = vectors

    def find(self, part: ListPlan, plan: Plan, allowed: Ordinals | None, spare: int) -> Found:
        """The list to its window, and ``spare`` more of the nearest vectors."""
        source = LISTS[part.name].source
        if source == "phrases":
            with stage("words"):
                return self._phrase_list(part, plan)
        if source == "words":
            with stage("words"):
                return self._word_list(part, plan, allowed)
        with stage("vectors"):
            return self._nearest(part, allowed, spare)

    def _phrase_list(self, part: ListPlan, plan: Plan) -> Found:
        """Assets with most phrases first, then by the sum of their scores."""
        held: dict[Ordinal, list[float]] = {}
        totals = []
        for phrase in plan.phrases:
            found = self._text.phrase(phrase, part.window, plan.binding)
            totals.append(found.total)
            for ordinal, score in zip(found.ordinals, found.scores, strict=True):
                held.setdefault(ordinal, []).append(score)
        best = sorted(held, key=lambda o: (-len(held[o]), -sum(held[o]), o))[: part.window]
        total = len(held) if max(totals, default=0) <= part.window else max(totals)
        scores = [sum(held[ordinal]) for ordinal in best]
        return Found(part, _integers(best), np.array(scores, np.float64), total, "exact phrase")

    def _word_list(self, part: ListPlan, plan: Plan, allowed: Ordinals | None) -> Found:
        if plan.words is None:
            return self._newest(part, allowed)
        found = self._text.words(plan.words, part.window, plan.binding.where)
        return Found(
            part,
            _integers(found.ordinals),
            np.array(found.scores, np.float64),
            found.total,
            "BM25",
            np.array(found.shares, np.float64),
            np.array(found.named, np.bool_),
            found.information,
        )

    def _newest(self, part: ListPlan, allowed: Ordinals | None) -> Found:
        """The newest assets, for a query without words and pictures."""
        if allowed is None:
            newest, total = _integers(self._catalog.newest(part.window)), self._text.count()
        else:
            newest, total = allowed[::-1][: part.window], len(allowed)
        return Found(part, newest, np.zeros(len(newest)), total, "newest first")

    def _nearest(self, part: ListPlan, allowed: Ordinals | None, spare: int) -> Found:
        """The nearest vectors, ``spare`` more than the window: so many may be left out."""
        found = self._search(part, part.window + spare, allowed)
        ordinals, scores = _integers(found.ordinals), np.array(found.scores, np.float64)
        if part.floor is None:
            return Found(part, ordinals, scores, None, found.plan)
        count = int(np.searchsorted(-scores, -part.floor, side="right"))
        total = count if count < len(scores) else None
        how = f"{found.plan}, from {part.floor} up"
        return Found(part, ordinals[:count], scores[:count], total, how)

    def above(self, part: ListPlan, allowed: Ordinals | None) -> list[int]:
        """The vectors from the cut of the list up, at most ``MOST``: k grows while it is passed."""
        cut = _least(part)
        k = 2 * part.window
        while True:
            found = self._search(part, min(k, MOST), allowed)
            if k >= MOST or len(found.scores) < k or found.scores[-1] < cut:
                scores = zip(found.ordinals, found.scores, strict=True)
                return [int(ordinal) for ordinal, score in scores if score >= cut]
            k *= 2

    def above_of(self, part: ListPlan, wanted: Sequence[Ordinal]) -> list[int]:
        """Those of these vectors that are from the cut of the list up."""
        if part.vector is None:
            return []
        known = self._vectors[part.name].index.similarities(part.vector, wanted)
        return [int(ordinal) for ordinal, score in known.items() if score >= _least(part)]

    def _search(self, part: ListPlan, k: int, allowed: Ordinals | None) -> VectorMatches:
        if part.vector is None:
            raise ValueError(f"{part.name}: a list of nearest neighbours needs a vector")
        return self._vectors[part.name].index.search(part.vector, k, allowed)

    def phrases_held(self, plan: Plan, candidates: Integers) -> Integers:
        """How many of the quoted phrases each candidate holds."""
        held = np.zeros(len(candidates), np.int64)
        among = [Ordinal(ordinal) for ordinal in candidates.tolist()]
        for phrase in plan.phrases:
            found = self._text.phrase(phrase, len(among), among=among)
            held[np.searchsorted(candidates, _integers(found.ordinals))] += 1
        return held

    def scores(self, part: ListPlan, plan: Plan, wanted: Sequence[Ordinal]) -> Floats:
        """The score of each in the list, NaN where it does not match."""
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


def _integers(values: Sequence[int]) -> Integers:
    return np.array(values, np.int64)


def _least(part: ListPlan) -> float:
    """The least similarity of a match: of cut and floor the higher one."""
    return max(-1.0 if bound is None else bound for bound in (part.cut, part.floor))
