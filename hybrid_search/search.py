"""The road out: parse -> retrieve -> fuse -> drop the dead -> cut -> fetch -> render."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import orjson
from cachetools import LRUCache

from hybrid_search.encoding import QueryEncoder
from hybrid_search.errors import InvalidQuery, UnknownAsset
from hybrid_search.following import VectorFollower
from hybrid_search.fusion import contributions, fuse
from hybrid_search.images import PictureLimits, check_picture, digest_of
from hybrid_search.ports import Catalog, LexicalIndex, Ordinals, VectorIndex, Vectors
from hybrid_search.records import (
    Answer,
    AssetId,
    CandidateList,
    Contribution,
    Example,
    FusedHit,
    FusionSettings,
    Hit,
    ListName,
    ListReport,
    Ordinal,
    Query,
)
from hybrid_search.text.query_language import ParsedQuery, parse_query

BROWSED = 10_000
"""How deep a search for nothing, which shows the newest assets, can be paged."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A query's candidate lists, before fusion."""

    parsed: ParsedQuery
    lists: tuple[CandidateList, ...]
    vectors: dict[ListName, Vectors]
    """The query vector behind each list of nearest pictures."""
    sequence: int


@dataclass(frozen=True, slots=True)
class _Ranking:
    """A fused order to page through, and what it was fused from."""

    key: str
    hits: tuple[FusedHit, ...]
    retrieved: Retrieved
    settings: FusionSettings


class Searcher:
    """Answers queries. Safe to call from several threads."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        lexical: LexicalIndex,
        vectors: VectorIndex,
        follower: VectorFollower,
        encoder: QueryEncoder,
        limits: PictureLimits,
        fusion: FusionSettings,
    ) -> None:
        self._catalog = catalog
        self._lexical = lexical
        self._vectors = vectors
        self._follower = follower
        self._encoder = encoder
        self._limits = limits
        self._fusion = fusion
        self._rankings: LRUCache[str, _Ranking] = LRUCache(256)
        self._guard = threading.Lock()

    def search(self, query: Query) -> Answer:
        """One page of the fused order; raises ``InvalidQuery`` and ``UnknownAsset``."""
        started = time.perf_counter()
        notes: list[str] = []
        ranking, position = self._place(query, notes)
        page, position = self._page(ranking, position, query.size)
        if any(c.name == "phrase" and not c.ordinals for c in ranking.retrieved.lists):
            notes.append("no asset contains the quoted phrase; these are near it")
        more = position < len(ranking.hits)
        return Answer(
            hits=self._render(ranking, page, query.explain),
            candidates=len(ranking.hits),
            cursor=_cursor(ranking.key, position) if more else None,
            sequence=ranking.retrieved.sequence,
            phrases=ranking.retrieved.parsed.phrases,
            notes=(*ranking.retrieved.parsed.notes, *notes),
            lists=tuple(_report(c, ranking.settings) for c in ranking.retrieved.lists),
            rank_constant=ranking.settings.rank_constant,
            took_ms=(time.perf_counter() - started) * 1000.0,
        )

    def retrieve(self, query: Query) -> Retrieved:
        """The candidate lists, each to its window: what fusion settings are tried on."""
        self._refresh()
        settings = query.fusion or self._fusion
        parsed = parse_query(query.text)
        allowed = self._lexical.allowed(parsed, query.filter)
        lists: list[CandidateList] = []
        vectors: dict[ListName, Vectors] = {}
        for name, make in self._makers(query, parsed).items():
            if name not in settings.lists:
                continue
            window = settings.lists[name].window
            vector = make()
            if vector is None:
                lists.append(self._lexical_list(name, parsed, query, window))
            else:
                vectors[name] = vector
                lists.append(self._nearest(name, vector, window, allowed))
        if not parsed.clauses and not query.examples and "lexical" in settings.lists:
            lists.append(self._newest(allowed))
        return Retrieved(parsed, tuple(lists), vectors, self._follower.sequence)

    # ----------------------------------------------------------------------------- retrieve

    def _refresh(self) -> None:
        """See what was written since, here or by another process."""
        if self._catalog.last_sequence() > self._follower.sequence:
            self._lexical.refresh()
            self._follower.catch_up()

    def _makers(
        self, query: Query, parsed: ParsedQuery
    ) -> dict[ListName, Callable[[], Vectors | None]]:
        """The lists that the query asks for; each gives its query vector, or ``None`` for words."""
        makers: dict[ListName, Callable[[], Vectors | None]] = {}
        if parsed.phrases:
            makers["phrase"] = lambda: None
        if parsed.clauses:
            makers["lexical"] = lambda: None
        if parsed.meaning:
            makers["text_to_image"] = lambda: self._encoder.text(parsed.meaning)
        if query.examples:
            makers["image_to_image"] = lambda: self._blend(query.examples)
        return makers

    def _lexical_list(
        self, name: ListName, parsed: ParsedQuery, query: Query, window: int
    ) -> CandidateList:
        if name == "phrase":
            return self._phrase_list(parsed, query, window)
        found = self._lexical.words(parsed, window, query.filter)
        return CandidateList(name, found.ordinals, found.scores, window, found.total, "BM25")

    def _phrase_list(self, parsed: ParsedQuery, query: Query, window: int) -> CandidateList:
        """Holders of most phrases first, then by the sum of their scores."""
        held: dict[Ordinal, list[float]] = {}
        totals = []
        for phrase in parsed.phrases:
            found = self._lexical.phrase(phrase, window, query.filter)
            totals.append(found.total)
            for ordinal, score in zip(found.ordinals, found.scores, strict=True):
                held.setdefault(ordinal, []).append(score)
        best = sorted(held, key=lambda o: (-len(held[o]), -sum(held[o]), o))[:window]
        total = len(held) if max(totals) <= window else max(totals)
        scores = tuple(float(sum(held[ordinal])) for ordinal in best)
        return CandidateList("phrase", tuple(best), scores, window, total, "exact phrase")

    def _nearest(
        self, name: ListName, vector: Vectors, window: int, allowed: Ordinals | None
    ) -> CandidateList:
        found = self._vectors.search(vector, window, allowed)
        return CandidateList(name, found.ordinals, found.scores, window, None, found.plan)

    def _newest(self, allowed: Ordinals | None) -> CandidateList:
        """Without words and pictures: the newest assets."""
        if allowed is None:
            newest = tuple(self._catalog.newest(BROWSED))
        else:
            newest = tuple(Ordinal(o) for o in allowed[::-1][:BROWSED].tolist())
        scores = (0.0,) * len(newest)
        return CandidateList("lexical", newest, scores, BROWSED, len(newest), "newest first")

    def _blend(self, examples: Sequence[Example]) -> Vectors:
        """The unit vector towards the weighted sum of the examples."""
        weights = np.array([example.weight for example in examples], np.float32)
        total = weights @ np.stack([self._example(example) for example in examples])
        length = float(np.linalg.norm(total))
        if length < 1e-6:
            raise InvalidQuery("like: the examples cancel each other out")
        return np.asarray(total / length, np.float32)

    def _example(self, example: Example) -> Vectors:
        if example.id is not None:
            return self._stored_vector(example.id)
        data = example.picture or b""
        return self._encoder.picture(digest_of(data), lambda: check_picture(data, self._limits).rgb)

    def _stored_vector(self, asset_id: AssetId) -> Vectors:
        stored = self._catalog.find(asset_id)
        if stored is None:
            raise UnknownAsset(f"no asset has the id {asset_id!r}")
        vector = self._vectors.vector(stored.ordinal)
        if vector is None:
            raise InvalidQuery(f"like: the asset {asset_id!r} has no picture")
        return vector

    # --------------------------------------------------------------------------------- rank

    def _place(self, query: Query, notes: list[str]) -> tuple[_Ranking, int]:
        """The fused order that the page is cut from, and where the page begins."""
        if query.cursor is None:
            return self._rank(query), query.offset
        key, position = _read_cursor(query.cursor)
        with self._guard:
            known = self._rankings.get(key)
        if known is not None and key.startswith(_fingerprint(query)):
            return known, position
        ranking = self._rank(query)
        if ranking.key.split(".")[0] != key.split(".")[0]:
            raise InvalidQuery("cursor: it belongs to another search")
        if ranking.key != key:
            notes.append("the index has changed since the first page; hits may repeat")
        return ranking, position

    def _rank(self, query: Query) -> _Ranking:
        settings = query.fusion or self._fusion
        retrieved = self.retrieve(query)
        hits = fuse(retrieved.lists, settings, self._held(retrieved))
        hits = self._strict(hits, retrieved)
        if query.examples:
            known = {e.id for e in query.examples if e.id is not None}
            own = {s.ordinal for i in known if (s := self._catalog.find(i)) is not None}
            hits = [hit for hit in hits if hit.ordinal not in own]
        live = self._catalog.live([hit.ordinal for hit in hits])
        key = f"{_fingerprint(query)}.{retrieved.sequence}"
        kept = tuple(hit for hit in hits if hit.ordinal in live)
        ranking = _Ranking(key, kept, retrieved, settings)
        with self._guard:
            self._rankings[key] = ranking
        return ranking

    def _held(self, retrieved: Retrieved) -> dict[Ordinal, int]:
        """How many of the phrases each candidate of any list contains."""
        candidates = list(dict.fromkeys(o for c in retrieved.lists for o in c.ordinals))
        held: dict[Ordinal, int] = {}
        for phrase in retrieved.parsed.phrases:
            found = self._lexical.phrase(phrase, len(candidates), among=candidates)
            for ordinal in found.ordinals:
                held[ordinal] = held.get(ordinal, 0) + 1
        return held

    def _strict(self, hits: list[FusedHit], retrieved: Retrieved) -> list[FusedHit]:
        """Without the lower tier where more holders of a phrase exist than the list could give."""
        cut = any(c.name == "phrase" and not c.exhausted for c in retrieved.lists)
        return [hit for hit in hits if hit.phrases] if cut else hits

    # ------------------------------------------------------------------------------- render

    def _page(
        self, ranking: _Ranking, start: int, size: int
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
        self, ranking: _Ranking, page: list[tuple[int, FusedHit]], explain: bool
    ) -> tuple[Hit, ...]:
        stored = self._catalog.fetch([hit.ordinal for _, hit in page])
        explained = self._explain(ranking, [hit.ordinal for _, hit in page]) if explain else {}
        hits = []
        for rank, fused in page:
            hit = Hit(rank, fused.score, stored[fused.ordinal], fused.phrases)
            if explain:
                spans = self._lexical.highlight(ranking.retrieved.parsed, hit.stored.asset)
                fields = tuple(dict.fromkeys(span.field for span in spans))
                hit = replace(
                    hit,
                    matched_fields=fields,
                    highlights=spans,
                    contributions=explained[fused.ordinal],
                )
            hits.append(hit)
        return tuple(hits)

    def _explain(
        self, ranking: _Ranking, page: list[Ordinal]
    ) -> dict[Ordinal, tuple[Contribution, ...]]:
        """Each hit's contributions; of lists that lack it, its score there and why it is absent."""
        lists, settings = ranking.retrieved.lists, ranking.settings
        beyond = {c.name: self._beyond(c, ranking.retrieved, page) for c in lists}
        return {
            ordinal: tuple(
                part if part.rank is not None else _absent(part, beyond[part.list].get(ordinal))
                for part in contributions(ordinal, lists, settings)
            )
            for ordinal in page
        }

    def _beyond(
        self, candidates: CandidateList, retrieved: Retrieved, page: list[Ordinal]
    ) -> dict[Ordinal, float]:
        """The scores of hits in a list they did not reach, as far as they match it at all."""
        missing = [ordinal for ordinal in page if ordinal not in candidates.ordinals]
        if not missing or candidates.exhausted:
            return {}
        if candidates.name in retrieved.vectors:
            return self._vectors.similarities(retrieved.vectors[candidates.name], missing)
        if candidates.name == "lexical":
            found = self._lexical.words(retrieved.parsed, len(missing), among=missing)
            return dict(zip(found.ordinals, found.scores, strict=True))
        scores: dict[Ordinal, float] = {}
        for phrase in retrieved.parsed.phrases:
            found = self._lexical.phrase(phrase, len(missing), among=missing)
            for ordinal, score in zip(found.ordinals, found.scores, strict=True):
                scores[ordinal] = scores.get(ordinal, 0.0) + score
        return scores


def _absent(part: Contribution, score: float | None) -> Contribution:
    return replace(part, score=score, absent="not_matched" if score is None else "below_window")


def _report(candidates: CandidateList, settings: FusionSettings) -> ListReport:
    return ListReport(
        name=candidates.name,
        window=candidates.window,
        weight=settings.lists[candidates.name].weight,
        found=len(candidates.ordinals),
        total=candidates.total,
        plan=candidates.plan,
    )


def _fingerprint(query: Query) -> str:
    """Names all of a query that decides its order: equal for its every page."""
    examples = [
        (example.id, example.picture and digest_of(example.picture), example.weight)
        for example in query.examples
    ]
    text = repr((query.text, examples, query.filter, query.fusion))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def _cursor(key: str, position: int) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([key, position])).decode()


def _read_cursor(cursor: str) -> tuple[str, int]:
    try:
        key, position = orjson.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, TypeError):
        raise InvalidQuery("cursor: not one that a search gave") from None
    if not isinstance(key, str) or not isinstance(position, int) or position < 0:
        raise InvalidQuery("cursor: not one that a search gave")
    return key, position
