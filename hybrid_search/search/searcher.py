"""The query pipeline: retrieve, fuse, cut a page, fetch, render."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from hybrid_search.analysis.highlighter import Highlighter
from hybrid_search.core import (
    Challenger,
    Facet,
    FusedHit,
    FusionSettings,
    Hit,
    Note,
    Query,
    SearchResult,
    Sort,
    StoredAsset,
    Totals,
    digest_of,
)
from hybrid_search.core.deadline import stage
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.ports.store import Completion, View
from hybrid_search.search.cursor import RankingKey, hashed, read_cursor, to_cursor
from hybrid_search.search.fusion import Order, fuse
from hybrid_search.search.hit_evidence import explained, list_reports, to_hit
from hybrid_search.search.interleaving import interleaved_order
from hybrid_search.search.match_counts import count_matched, tail
from hybrid_search.search.matched_set import open_lists
from hybrid_search.search.ranking import Ranking, RankingCache
from hybrid_search.search.retriever import BROWSED, Retrieval, Retriever
from hybrid_search.search.sort import sorted_places
from hybrid_search.search.spelling import SpellingCorrector

FACET_VALUES = 50
"""Values that a facet shows."""


@dataclass(frozen=True, slots=True)
class Suggested:
    """Suggestions for what was typed so far."""

    completions: tuple[Completion, ...]
    did_you_mean: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Page:
    """A page of live hits, and where the next one begins."""

    hits: list[tuple[int, FusedHit, StoredAsset]]
    """Rank (from 1), place in the order, asset."""
    next: int


class Searcher:
    """Answers queries. Safe to call from several threads."""

    def __init__(
        self,
        *,
        retriever: Retriever,
        highlighter: Highlighter,
        fusion: FusionSettings,
        challenger: Challenger | None = None,
    ) -> None:
        """``challenger`` is interleaved with named searches that use the configured fusion."""
        self._retriever = retriever
        self._highlighter = highlighter
        self._fusion = fusion
        self._challenger = challenger
        self._spelling = SpellingCorrector(retriever)
        self._rankings = RankingCache()

    def search(self, query: Query) -> SearchResult:
        """One page of the fused order; raises ``InvalidQuery`` and ``UnknownAsset``."""
        started = time.perf_counter()
        view = self.view()
        notes: list[Note] = []
        ranking, position = self._place(view, query, notes)
        ranking = self._reaching(view, ranking, position + query.size)
        end = ranking.matched if query.scope == "matched" else len(ranking.order)
        page = _page(view, ranking, position, query.size, end)
        found, settings = ranking.retrieval, ranking.settings
        good = found.good_match(settings)
        notes += self._notes(view, query, ranking, good_match=good)
        with stage("facets"):
            facets = self._facets(view, query, ranking)
        with stage("render"):
            hits = self._render(view, ranking, page, query)
        more = page.next < end
        return SearchResult(
            hits=hits,
            candidates=len(ranking.order),
            totals=Totals(ranking.total, ranking.related),
            cursor=to_cursor(ranking.key, page.next) if more else None,
            sequence=found.version,
            phrases=found.parsed.phrases,
            notes=(*found.parsed.notes, *found.notes, *notes),
            did_you_mean=ranking.did_you_mean,
            facets={name: facet.values for name, facet in facets.items()},
            facet_totals={name: facet.totals for name, facet in facets.items()},
            lists=list_reports(ranking),
            rank_constant=settings.rank_constant,
            fusion=settings.method,
            good_match=good,
            token=str(ranking.key),
            reused=query.reuse is not None and ranking.reused,
            took_ms=(time.perf_counter() - started) * 1000.0,
            configuration=ranking.configuration,
            challenger=ranking.challenger.name if ranking.challenger else "",
            search_id=query.search_id,
        )

    def suggest(self, typed: str, size: int = 10) -> Suggested:
        """How the typed text may go on, and corrections of it.

        Raises ``InvalidQuery`` for a text that is too long.
        """
        view = self.view()
        parsed = self._retriever.parse(typed)
        completions = view.complete(typed, size)
        # A word that can go on is not misspelled yet.
        meant = () if completions else self._spelling.corrections(view, parsed)
        return Suggested(completions, meant)

    def view(self) -> View:
        """The newest version of the index, for one search from begin to end."""
        return self._retriever.view()

    def retrieve(self, query: Query) -> Retrieval:
        """The candidate lists, each to its window: what fusion settings are compared on."""
        return self._retriever.retrieve(self.view(), query, query.fusion or self._fusion)

    def forget(self) -> None:
        """Forget all rankings; their cursors and tokens are answered by new searches."""
        self._rankings.clear()

    # --------------------------------------------------------------------------------- rank

    def _place(self, view: View, query: Query, notes: list[Note]) -> tuple[Ranking, int]:
        """The ranking that the page is cut from, and where the page begins."""
        if query.cursor is None:
            return self.rank(query, view), query.offset
        key, position = read_cursor(query.cursor)
        if key.search_id:
            query = replace(query, search_id=key.search_id)
        known = self._rankings.get(key)
        if known is not None and key.same_search(self._key(query)):
            return known, position
        ranking = self.rank(query, view)
        if not ranking.key.same_search(key):
            raise InvalidQuery("cursor: it belongs to another search")
        if ranking.key != key:
            notes.append(Note("index_changed"))
        return ranking, position

    def rank(self, query: Query, view: View | None = None) -> Ranking:
        """All candidates in order; raises ``InvalidQuery`` and ``UnknownAsset``."""
        view = view or self.view()
        settings = query.fusion or self._fusion
        kept = self._kept(query)
        found = kept or self._retriever.retrieve(view, query, settings)
        challenger = self._interleaved(query)
        with stage("fuse"):
            order = self._order(found, query, settings, challenger)
        key = replace(self._key(query), version=found.version, calibration=found.calibration)
        ranking = Ranking(
            key,
            order,
            found,
            settings,
            count_matched(view, found, settings).total,
            self._corrections(view, found),
            kept is not None,
            challenger,
        )
        if query.sort is not None:
            ranking = self._sorted(view, ranking, query.sort)
        self._rankings.put(ranking)
        return ranking

    def _sorted(self, view: View, ranking: Ranking, sort: Sort) -> Ranking:
        """Every match by the value of the field, and nothing that is only related."""
        order = self._reaching(view, ranking, BROWSED).order
        order = order.take(np.flatnonzero(order.matched))
        stored = view.fetch(order.arrivals.tolist())
        order = order.take(sorted_places(order, stored, sort, self._retriever.fields))
        return replace(ranking, order=order, extended=True)

    def _reaching(self, view: View, ranking: Ranking, end: int) -> Ranking:
        """The ranking with the matches beyond all windows, if a page to ``end`` shows any."""
        inside = ranking.matched
        if ranking.extended or ranking.total <= inside or end <= inside:
            return ranking
        found, settings = ranking.retrieval, ranking.settings
        lists = open_lists(found.candidates, found.plan, settings.lists)
        rest = tail(self._retriever.beyond(view, found, lists), ranking.order, settings.lists)
        places = np.arange(len(ranking.order))
        head = ranking.order.take(places[:inside]).joined(rest.take(np.arange(len(rest))[:BROWSED]))
        order = head.joined(ranking.order.take(places[inside:]))
        longer = replace(ranking, order=order, extended=True)
        self._rankings.put(longer)
        return longer

    @staticmethod
    def _facets(view: View, query: Query, ranking: Ranking) -> Mapping[str, Facet]:
        if not query.facets:
            return {}
        found = ranking.retrieval
        return count_matched(view, found, ranking.settings, query.facets, FACET_VALUES).facets

    @staticmethod
    def _order(
        found: Retrieval, query: Query, settings: FusionSettings, challenger: Challenger | None
    ) -> Order:
        own = fuse(found.candidates, settings)
        if challenger is None:
            return own
        return interleaved_order(
            own, fuse(found.candidates, challenger.settings), query.search_id or ""
        )

    def _interleaved(self, query: Query) -> Challenger | None:
        """The challenger of a named search that uses the configured fusion."""
        configured = query.fusion is None or query.fusion == self._fusion
        plain = configured and query.sort is None and not query.explain
        return self._challenger if plain and query.search_id is not None else None

    def _kept(self, query: Query) -> Retrieval | None:
        """The candidates of the answer whose token the query has, while they are kept."""
        if query.reuse is None:
            return None
        try:
            key = RankingKey.parse(query.reuse)
        except ValueError:
            key = RankingKey(query.reuse.split("-")[0], "")
        if key.question != self._key(query).question:
            raise InvalidQuery("reuse: the token belongs to another search")
        known = self._rankings.get(key)
        return None if known is None else known.retrieval

    def _corrections(self, view: View, found: Retrieval) -> tuple[str, ...]:
        """Corrections, where words were searched."""
        searched = any(part.name == "lexical" for part in found.candidates.lists)
        return self._spelling.corrections(view, found.parsed) if searched else ()

    def _key(self, query: Query) -> RankingKey:
        """Names all of a query that decides its order: equal for every page of it."""
        settings = query.fusion or self._fusion
        weights = [(name, one.weight) for name, one in settings.lists.items()]
        windows = [(name, one.window) for name, one in settings.lists.items()]
        examples = [
            (e.id, e.text, e.picture and digest_of(e.picture), e.weight) for e in query.examples
        ]
        return RankingKey(
            question=hashed(
                (query.text, examples, query.filter, query.min_similarity, query.sort, windows)
            ),
            fusion=hashed((settings.rank_constant, settings.method, weights)),
            search_id=(query.search_id or "") if self._interleaved(query) else "",
        )

    # ------------------------------------------------------------------------------- render

    def _notes(self, view: View, query: Query, ranking: Ranking, *, good_match: bool) -> list[Note]:
        lists = ranking.retrieval.candidates.lists
        notes = []
        if any(part.name == "phrase" and not len(part.rows) for part in lists):
            notes.append(Note("no_exact_phrase"))
        if not (ranking.retrieval.calibrated or ranking.retrieval.parsed.phrases):
            notes.append(Note("not_calibrated"))
        notes += self._unavailable(view, query)
        if not good_match and len(ranking.order):
            notes.append(Note("no_good_match"))
        return notes

    def _unavailable(self, view: View, query: Query) -> list[Note]:
        """A note for each unavailable list that the query sets a window or weight for."""
        asked = {} if query.fusion is None else query.fusion.lists
        return [
            why
            for name, why in view.unavailable.items()
            if name in asked and asked[name] != self._fusion.lists[name]
        ]

    def _render(self, view: View, ranking: Ranking, page: _Page, query: Query) -> tuple[Hit, ...]:
        fused = [hit for _, hit, _ in page.hits]
        parts = explained(view, ranking, fused) if query.explain else [()] * len(fused)
        hits = []
        for (rank, one, stored), explanation in zip(page.hits, parts, strict=True):
            hit = to_hit(rank, one, stored, explanation)
            marked = query.highlight or query.explain
            hits.append(self.highlighted(ranking, hit) if marked else hit)
        return tuple(hits)

    def highlighted(self, ranking: Ranking, hit: Hit) -> Hit:
        """The hit with where the query's words stand in its text."""
        text = self._retriever.fields.searched_texts(hit.stored.asset)
        spans = self._highlighter.highlight(ranking.retrieval.parsed, text)
        fields = tuple(dict.fromkeys(span.field for span in spans))
        return replace(hit, matched_fields=fields, highlights=spans)


def _page(view: View, ranking: Ranking, start: int, size: int, end: int) -> _Page:
    """Up to ``size`` hits that are live now, none from ``end`` on."""
    hits: list[tuple[int, FusedHit, StoredAsset]] = []
    position = min(start, end)
    while len(hits) < size and position < end:
        step = range(position, min(position + size - len(hits), end))
        fused = [ranking.order.hit(place) for place in step]
        stored = view.fetch([hit.arrival for hit in fused])
        hits += [
            (place + 1, hit, stored[hit.arrival])
            for place, hit in zip(step, fused, strict=True)
            if hit.arrival in stored
        ]
        position = step.stop
    return _Page(hits, position)
