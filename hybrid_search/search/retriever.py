"""Turns a query into a plan, has the store retrieve it, and assesses the candidates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hybrid_search.analysis.query_parser import ParsedQuery, parse_query
from hybrid_search.core import (
    AssetId,
    Example,
    FusionSettings,
    ListName,
    Note,
    Query,
    digest_of,
)
from hybrid_search.core.arrays import Vectors
from hybrid_search.core.candidate_lists import LISTS
from hybrid_search.core.candidates import Flags, Retrieved
from hybrid_search.core.deadline import stage
from hybrid_search.core.errors import InvalidQuery, UnknownAsset
from hybrid_search.core.field_schema import Fields
from hybrid_search.core.ports.store import IndexStatistics, ListPlan, Plan, Store, View
from hybrid_search.core.preprocess_spec import Pixels, PreprocessSpec
from hybrid_search.embedding.query_encoder import QueryEncoder
from hybrid_search.search.confidence import Cuts, assess
from hybrid_search.search.matched_set import beyond, matched_rows, open_lists
from hybrid_search.search.query_tree import QueryCompiler

BROWSED = 10_000
"""Assets that a query without words and pictures, or a sorted one, can page through."""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """A query's candidates before fusion, and how the query was understood."""

    parsed: ParsedQuery
    plan: Plan
    candidates: Retrieved
    version: int
    """The last operation that the candidates saw."""
    notes: tuple[Note, ...] = ()
    calibration: str = ""
    """Names the baselines that confidence was computed with."""
    calibrated: bool = False
    """Whether every list of vectors has a baseline, so that its candidates can match."""

    def good_match(self, settings: FusionSettings) -> bool:
        """Whether anything matches, or confidence is not calibrated."""
        return not self.calibrated or bool(matched_rows(self.candidates, settings.lists).any())

    @property
    def nbytes(self) -> int:
        """Memory of the candidates, in bytes."""
        return self.candidates.nbytes


class Retriever:
    """Retrieves candidates from a store. Safe to call from several threads."""

    def __init__(
        self,
        *,
        store: Store,
        compiler: QueryCompiler,
        encoder: QueryEncoder,
        prepare: Callable[[bytes, PreprocessSpec], Pixels],
        fields: Fields,
    ) -> None:
        """``prepare`` makes the model's input of a picture's bytes."""
        self._store = store
        self._compiler = compiler
        self._encoder = encoder
        self._prepare = prepare
        self.fields = fields

    def view(self) -> View:
        """The newest version of the index, for one search from begin to end."""
        with stage("refresh"):
            return self._store.view()

    def parse(self, text: str) -> ParsedQuery:
        """The clauses of what was typed; raises ``InvalidQuery``."""
        return parse_query(text, self.fields.queryable)

    def retrieve(self, view: View, query: Query, settings: FusionSettings) -> Retrieval:
        """Every list that the query asks for and the settings name, each to its window.

        Raises ``InvalidQuery`` and ``UnknownAsset``.
        """
        self.fields.check(query)
        parsed = self.parse(query.text)
        with stage("encode"):
            vectors = self._query_vectors(view, query, parsed, settings)
        statistics = view.statistics(lists=list(vectors))
        words = self._compiler.words(parsed, view)
        cuts = Cuts(parsed, statistics, settings.lists, words)
        lists = self._list_plans(query, parsed, settings, vectors)
        plan = Plan(
            lists=tuple(replace(part, cut=cuts.of(part)) for part in lists),
            words=words,
            phrases=self._compiler.phrases(parsed),
            binding=self._compiler.binding(parsed, query.filter, view),
            without=frozenset(e.id for e in query.examples if e.id is not None),
        )
        candidates = self._candidates(view, plan, parsed, statistics)
        return Retrieval(
            parsed,
            plan,
            replace(candidates, beyond=_beyond(view, plan, candidates, settings)),
            view.version,
            self._truncation_notes(query, parsed, vectors),
            ".".join(statistics.lists[name].version for name in vectors),
            calibrated=all(statistics.lists[name].calibrated for name in vectors),
        )

    def beyond(self, view: View, found: Retrieval, lists: Sequence[ListPlan]) -> Retrieved:
        """The candidates of these lists down to their cuts, at most ``BROWSED`` of each."""
        plan = replace(found.plan, lists=tuple(beyond(part, BROWSED) for part in lists))
        vectors = [part.name for part in plan.lists if part.vector is not None]
        return self._candidates(view, plan, found.parsed, view.statistics(lists=vectors))

    @staticmethod
    def _candidates(
        view: View, plan: Plan, parsed: ParsedQuery, statistics: IndexStatistics
    ) -> Retrieved:
        found = view.retrieve(plan)
        vectors = {part.name: part.vector for part in plan.lists if part.vector is not None}
        with stage("believe"):
            return assess(found, parsed, statistics, vectors)

    def matches_any(self, view: View, parsed: ParsedQuery) -> bool:
        """Whether any asset matches the words of the query."""
        plan = Plan((ListPlan("lexical", 1),), self._compiler.words(parsed, view))
        return bool(plan.words and view.retrieve(plan).lists[0].total)

    # -------------------------------------------------------------------------------- plan

    @staticmethod
    def _list_plans(
        query: Query,
        parsed: ParsedQuery,
        settings: FusionSettings,
        vectors: Mapping[ListName, Vectors],
    ) -> Iterator[ListPlan]:
        lists = settings.lists
        if "phrase" in lists and parsed.phrases:
            yield ListPlan("phrase", lists["phrase"].window)
        if "lexical" in lists and parsed.clauses:
            yield ListPlan("lexical", lists["lexical"].window)
        for name, vector in vectors.items():
            of_pictures = LISTS[name].modality == "picture"
            floor = query.min_similarity if of_pictures else None
            yield ListPlan(name, lists[name].window, vector, floor)
        if "lexical" in lists and not parsed.clauses and not query.examples:
            yield ListPlan("lexical", BROWSED)

    def _query_vectors(
        self, view: View, query: Query, parsed: ParsedQuery, settings: FusionSettings
    ) -> dict[ListName, Vectors]:
        asked = [
            spec
            for spec in LISTS.values()
            if spec.source in {"picture_vectors", "text_vectors"}
            and spec.name in settings.lists
            and spec.name not in view.unavailable
        ]
        vectors: dict[ListName, Vectors] = {}
        if parsed.meaning and any(spec.asked_by == "text" for spec in asked):
            vector = self._encoder.text(parsed.meaning)
            vectors |= {spec.name: vector for spec in asked if spec.asked_by == "text"}
        if query.examples and any(spec.asked_by == "examples" for spec in asked):
            vector = self._blend(view, query.examples)
            vectors |= {spec.name: vector for spec in asked if spec.asked_by == "examples"}
        return vectors

    def _truncation_notes(
        self, query: Query, parsed: ParsedQuery, vectors: Mapping[ListName, Vectors]
    ) -> tuple[Note, ...]:
        """A note for each embedded text that is longer than the model reads."""
        texts = [parsed.meaning] if "text_to_image" in vectors else []
        if "image_to_image" in vectors:
            texts += [e.text for e in query.examples if e.text is not None]
        notes = [self._encoder.cut_note(text) for text in texts]
        return tuple(dict.fromkeys(note for note in notes if note is not None))

    # ---------------------------------------------------------------------------- examples

    def _blend(self, view: View, examples: Sequence[Example]) -> Vectors:
        """The unit vector of the weighted sum of the examples."""
        weights = np.array([example.weight for example in examples], np.float32)
        total = weights @ np.stack([self._example(view, example) for example in examples])
        length = float(np.linalg.norm(total))
        if length < 1e-6:
            raise InvalidQuery("like: the examples cancel each other out")
        return np.asarray(total / length, np.float32)

    def _example(self, view: View, example: Example) -> Vectors:
        if example.id is not None:
            return _stored_vector(view, example.id)
        if example.text is not None:
            return self._encoder.text(example.text)
        data = example.picture or b""
        return self._encoder.picture(digest_of(data), lambda how: self._prepare(data, how))


def _beyond(
    view: View, plan: Plan, candidates: Retrieved, settings: FusionSettings
) -> Flags | None:
    """Which candidates match by a list whose window does not reach them."""
    rest = open_lists(candidates, plan, settings.lists)
    if not rest:
        return None
    return view.matches(replace(plan, lists=rest), candidates.arrivals.tolist())


def _stored_vector(view: View, asset_id: AssetId) -> Vectors:
    if view.find(asset_id) is None:
        raise UnknownAsset(f"no asset has the id {asset_id!r}")
    found = view.vectors([asset_id], "image_to_image").get(asset_id)
    if found is None:
        raise InvalidQuery(f"like: the asset {asset_id!r} has no picture")
    return found
