"""The road out: parse -> retrieve -> fuse -> drop the dead -> cut -> fetch -> render."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from cachetools import LRUCache

from hybrid_search.core import (
    Answer,
    CandidateList,
    Challenger,
    Contribution,
    FusedHit,
    FusionSettings,
    Hit,
    ListReport,
    Note,
    Ordinal,
    Query,
)
from hybrid_search.core.deadline import stage
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.ports import Catalog, Completion, LexicalIndex
from hybrid_search.images.decode import digest_of
from hybrid_search.search.cursor import hashed, mixed_as, read_cursor, to_cursor
from hybrid_search.search.facets import Facets
from hybrid_search.search.fusion import contributions, fuse
from hybrid_search.search.interleaving import mixed_hits
from hybrid_search.search.retriever import Retrieved, Retriever
from hybrid_search.search.sort import sorted_hits


@dataclass(frozen=True, slots=True)
class Ranking:
    """A fused order to page through, and what it was fused from."""

    key: str
    hits: tuple[FusedHit, ...]
    retrieved: Retrieved
    settings: FusionSettings
    did_you_mean: tuple[str, ...]
    reused: bool
    """Whether it was fused from what an earlier search had found."""
    challenger: Challenger | None = None
    """Whose order is mixed into it."""

    @property
    def configuration(self) -> str:
        """How its lists were fused, in a line."""
        own = self.settings.line()
        return own if self.challenger is None else f"{own} | {self.challenger.settings.line()}"


@dataclass(frozen=True, slots=True)
class Suggested:
    """What may be meant by what was typed so far."""

    completions: tuple[Completion, ...]
    did_you_mean: tuple[str, ...]


class Searcher:
    """Answers queries. Safe to call from several threads."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        lexical: LexicalIndex,
        retriever: Retriever,
        fusion: FusionSettings,
        challenger: Challenger | None = None,
    ) -> None:
        """``challenger`` is mixed into named searches that are fused as is configured."""
        self._catalog = catalog
        self._lexical = lexical
        self._retriever = retriever
        self._facets = Facets(catalog, lexical, retriever.fields)
        self._fusion = fusion
        self._challenger = challenger
        self._rankings: LRUCache[str, Ranking] = LRUCache(256)
        self._guard = threading.Lock()

    def search(self, query: Query) -> Answer:
        """One page of the fused order; raises ``InvalidQuery`` and ``UnknownAsset``."""
        started = time.perf_counter()
        notes: list[Note] = []
        ranking, position = self._place(query, notes)
        page, position = self._page(ranking, position, query.size)
        if any(c.name == "phrase" and not c.ordinals for c in ranking.retrieved.lists):
            notes.append(Note("no_exact_phrase"))
        notes += self._lacking(query)
        if not (good := ranking.retrieved.good_match(ranking.settings)) and ranking.hits:
            notes.append(Note("no_good_match"))
        more = position < len(ranking.hits)
        with stage("facets"):
            facets = self._facets.of(query, ranking.retrieved)
        with stage("render"):
            hits = self._render(ranking, page, query)
        return Answer(
            hits=hits,
            candidates=len(ranking.hits),
            cursor=to_cursor(ranking.key, position) if more else None,
            sequence=ranking.retrieved.sequence,
            phrases=ranking.retrieved.parsed.phrases,
            notes=(*ranking.retrieved.parsed.notes, *ranking.retrieved.notes, *notes),
            did_you_mean=ranking.did_you_mean,
            facets=facets,
            lists=list_reports(ranking),
            rank_constant=ranking.settings.rank_constant,
            fusion=ranking.settings.method,
            good_match=good,
            token=ranking.key,
            reused=query.reuse is not None and ranking.reused,
            took_ms=(time.perf_counter() - started) * 1000.0,
            configuration=ranking.configuration,
            challenger=ranking.challenger.name if ranking.challenger else "",
            search_id=query.search_id,
        )

    def suggest(self, typed: str, size: int = 10) -> Suggested:
        """How the typed text may go on, and what may be meant by it; sees what was written.

        Raises ``InvalidQuery`` for a text that is too long.
        """
        self._retriever.refresh()
        parsed = self._retriever.parse(typed)
        completions = self._lexical.complete(typed, size)
        # A word that goes on is no mistake yet.
        meant = () if completions else self._lexical.corrections(parsed)
        return Suggested(completions, meant)

    def retrieve(self, query: Query) -> Retrieved:
        """The candidate lists, each to its window: what fusion settings are tried on."""
        return self._retriever.retrieve(query, query.fusion or self._fusion)

    def admits(self, query: Query, ordinal: Ordinal) -> bool:
        """Whether the query's filter and binding operators let that version in."""
        return self._retriever.admits(query, ordinal)

    def phrases_held(self, retrieved: Retrieved) -> dict[Ordinal, int]:
        """How many of the quoted phrases each candidate holds, whichever list it came from."""
        return self._retriever.phrases_held(retrieved)

    def _lacking(self, query: Query) -> list[Note]:
        """A note for each unavailable list that the query sets a window or weight for."""
        asked = {} if query.fusion is None else query.fusion.lists
        return [
            why
            for name, why in self._retriever.lacking.items()
            if name in asked and asked[name] != self._fusion.lists[name]
        ]

    def fused(self, retrieved: Retrieved, settings: FusionSettings) -> tuple[FusedHit, ...]:
        """The live candidates, best first; the settings name all of the lists."""
        return self._orders(retrieved, settings)[0]

    def _orders(
        self, retrieved: Retrieved, *settings: FusionSettings
    ) -> list[tuple[FusedHit, ...]]:
        """The same candidates under each of the settings."""
        held = self._retriever.phrases_held(retrieved)
        fused = [fuse(retrieved.lists, one, held, retrieved.outside) for one in settings]
        orders = [self._strict(hits, retrieved) for hits in fused]
        live = self._catalog.live([hit.ordinal for hit in orders[0]])
        return [tuple(hit for hit in hits if hit.ordinal in live) for hits in orders]

    # --------------------------------------------------------------------------------- rank

    def _place(self, query: Query, notes: list[Note]) -> tuple[Ranking, int]:
        """The fused order that the page is cut from, and where the page begins."""
        if query.cursor is None:
            return self.rank(query), query.offset
        key, position = read_cursor(query.cursor)
        if (search_id := mixed_as(key)) is not None:
            query = replace(query, search_id=search_id)
        with self._guard:
            known = self._rankings.get(key)
        if known is not None and key.startswith(self._fingerprint(query)):
            return known, position
        ranking = self.rank(query)
        if ranking.key.split(".")[0] != key.split(".")[0]:
            raise InvalidQuery("cursor: it belongs to another search")
        if ranking.key != key:
            notes.append(Note("index_changed"))
        return ranking, position

    def rank(self, query: Query) -> Ranking:
        """All candidates in order; raises ``InvalidQuery`` and ``UnknownAsset``."""
        settings = query.fusion or self._fusion
        kept = self._kept(query)
        retrieved = self.retrieve(query) if kept is None else kept
        with stage("fuse"):
            if (challenger := self._mixed_in(query)) is None:
                hits = self.fused(retrieved, settings)
            else:
                own, others = self._orders(retrieved, settings, challenger.settings)
                hits = tuple(mixed_hits(own, others, query.search_id or ""))
        key = f"{self._fingerprint(query)}.{retrieved.sequence}.{retrieved.calibration}"
        if query.sort is not None:
            hits = sorted_hits(hits, query.sort, self._catalog, self._retriever.fields)
        meant = self._meant(retrieved)
        ranking = Ranking(key, hits, retrieved, settings, meant, kept is not None, challenger)
        with self._guard:
            self._rankings[key] = ranking
        return ranking

    def _mixed_in(self, query: Query) -> Challenger | None:
        """Who challenges the ranking of a named search that is fused as is configured."""
        configured = query.fusion is None or query.fusion == self._fusion
        plain = configured and query.sort is None and not query.explain
        return self._challenger if plain and query.search_id is not None else None

    def _kept(self, query: Query) -> Retrieved | None:
        """What the answer was fused from whose token the query has, while it is remembered."""
        if query.reuse is None:
            return None
        if query.reuse.split("-")[0] != self._question(query):
            raise InvalidQuery("reuse: the token belongs to another search")
        with self._guard:
            known = self._rankings.get(query.reuse)
        return None if known is None else known.retrieved

    def _meant(self, retrieved: Retrieved) -> tuple[str, ...]:
        """Corrections, where words were looked for."""
        asked = any(candidates.name == "lexical" for candidates in retrieved.lists)
        return self._lexical.corrections(retrieved.parsed) if asked else ()

    def _fingerprint(self, query: Query) -> str:
        """Names all of a query that decides its order: equal for its every page."""
        settings = query.fusion or self._fusion
        weights = [(name, one.weight) for name, one in settings.lists.items()]
        fusion = hashed((settings.rank_constant, settings.method, weights))
        mixed = f"-{query.search_id}" if self._mixed_in(query) else ""
        return f"{self._question(query)}-{fusion}{mixed}"

    def _question(self, query: Query) -> str:
        """Names all of a query that decides its candidates: equal however they are fused."""
        examples = [
            (e.id, e.text, e.picture and digest_of(e.picture), e.weight) for e in query.examples
        ]
        lists = (query.fusion or self._fusion).lists
        windows = [(name, one.window) for name, one in lists.items()]
        parts = (query.text, examples, query.filter, query.min_similarity, query.sort, windows)
        return hashed(parts)

    def _strict(self, hits: list[FusedHit], retrieved: Retrieved) -> list[FusedHit]:
        """Without the lower tier where more holders of a phrase exist than the list could give."""
        cut = any(c.name == "phrase" and not c.exhausted for c in retrieved.lists)
        return [hit for hit in hits if hit.phrases] if cut else hits

    # ------------------------------------------------------------------------------- render

    def _page(
        self, ranking: Ranking, start: int, size: int
    ) -> tuple[list[tuple[int, FusedHit]], int]:
        """Up to ``size`` live hits with their ranks, and where the next page begins."""
        page: list[tuple[int, FusedHit]] = []
        position = min(start, len(ranking.hits))
        while len(page) < size and position < len(ranking.hits):
            step = list(islice(enumerate(ranking.hits), position, position + size - len(page)))
            live = self._catalog.live([hit.ordinal for _, hit in step])
            page += [(place + 1, hit) for place, hit in step if hit.ordinal in live]
            position += len(step)
        return page, position

    def _render(
        self, ranking: Ranking, page: list[tuple[int, FusedHit]], query: Query
    ) -> tuple[Hit, ...]:
        ordinals = [hit.ordinal for _, hit in page]
        stored = self._catalog.fetch(ordinals)
        explained = self.explained(ranking, [hit for _, hit in page]) if query.explain else {}
        hits = []
        for rank, fused in page:
            hit = Hit(
                rank,
                fused.score,
                stored[fused.ordinal],
                fused.phrases,
                lift=fused.lift,
                team=fused.team,
            )
            if query.highlight or query.explain:
                hit = self.highlighted(ranking, hit)
            hits.append(replace(hit, contributions=explained.get(fused.ordinal, ())))
        return tuple(hits)

    def highlighted(self, ranking: Ranking, hit: Hit) -> Hit:
        """The hit with where the query's words stand in its copy."""
        spans = self._lexical.highlight(ranking.retrieved.parsed, hit.stored.asset)
        fields = tuple(dict.fromkeys(span.field for span in spans))
        return replace(hit, matched_fields=fields, highlights=spans)

    def explained(
        self, ranking: Ranking, page: Sequence[FusedHit]
    ) -> dict[Ordinal, tuple[Contribution, ...]]:
        """Each hit's contributions; of lists that lack it, its score there and why it is absent."""
        lists, settings = ranking.retrieved.lists, ranking.settings
        shown = [hit.ordinal for hit in page]
        beyond = {c.name: self._retriever.scores_beyond(c, ranking.retrieved, shown) for c in lists}
        return {
            hit.ordinal: tuple(
                part if part.rank is not None else _absent(part, beyond[part.list].get(hit.ordinal))
                for part in contributions(hit, lists, settings)
            )
            for hit in page
        }


def _absent(part: Contribution, score: float | None) -> Contribution:
    return replace(part, score=score, absent="not_matched" if score is None else "below_window")


def list_reports(ranking: Ranking) -> tuple[ListReport, ...]:
    """What each list did, in their order."""
    return tuple(_report(found, ranking.settings) for found in ranking.retrieved.lists)


def _report(candidates: CandidateList, settings: FusionSettings) -> ListReport:
    return ListReport(
        name=candidates.name,
        window=candidates.window,
        weight=settings.lists[candidates.name].weight,
        found=len(candidates.ordinals),
        total=candidates.total,
        plan=candidates.plan,
        confidence=candidates.confidence if settings.method == "confident_rrf" else 1.0,
        evidence=candidates.evidence,
    )
