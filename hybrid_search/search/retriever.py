"""Candidate lists for a query: what every fusion setting is tried on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hybrid_search.analysis.query_parser import ParsedQuery, parse_query
from hybrid_search.core import (
    AssetId,
    CandidateList,
    Example,
    FusionSettings,
    ListName,
    ListSettings,
    Note,
    Ordinal,
    Query,
)
from hybrid_search.core.deadline import stage
from hybrid_search.core.errors import InvalidQuery, UnknownAsset
from hybrid_search.core.field_schema import Fields
from hybrid_search.core.ports import (
    Catalog,
    LexicalIndex,
    Ordinals,
    Vectors,
)
from hybrid_search.core.preprocess_spec import Pixels, PreprocessSpec
from hybrid_search.embedding.query_encoder import QueryEncoder
from hybrid_search.images.decode import digest_of
from hybrid_search.search.confidence import OF_WORDS, VectorSource, matched, outside
from hybrid_search.search.fusion import Outside
from hybrid_search.stores.embedded.log_replay import VectorReplay

BROWSED = 10_000
"""How deep a search for nothing, which shows the newest assets, can be paged."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A query's candidate lists, before fusion."""

    parsed: ParsedQuery
    lists: tuple[CandidateList, ...]
    vectors: Mapping[ListName, Vectors]
    """The query vector behind each list of nearest neighbours."""
    sequence: int
    """The last operation the lists saw."""
    notes: tuple[Note, ...] = ()
    """How the query was read, where that may surprise."""
    outside: tuple[Outside, ...] = ()
    """Candidates that some of the lists could not hold."""
    calibration: str = ""
    """Names the measurements by which confidence is told."""
    judged: bool = False
    """Whether what is usual is known of every list, so that none standing out says something."""

    def good_match(self, settings: FusionSettings) -> bool:
        """Whether a list stands out from chance, or too little is known to say that none does."""
        return not self.judged or any(
            found.ordinals and _best(found) >= settings.lists[found.name].no_match_below
            for found in self.lists
        )


def _best(found: CandidateList) -> float:
    """How far the best candidate is believed; examples are taken at their word, by cosine."""
    return found.scores[0] if found.name == "image_to_image" else found.confidence


class Retriever:
    """Asks the indexes. Safe to call from several threads."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        lexical: LexicalIndex,
        vectors: Mapping[ListName, VectorSource],
        followers: Sequence[VectorReplay],
        encoder: QueryEncoder,
        prepare: Callable[[bytes, PreprocessSpec], Pixels],
        fields: Fields,
        lacking: Mapping[ListName, Note] | None = None,
    ) -> None:
        """``vectors`` has the source of each list of nearest neighbours, but for those ``lacking``.

        Of these it is said why they are absent. The followers keep the indexes up to date, and
        ``prepare`` makes a model's input of an example's bytes.
        """
        self._catalog = catalog
        self._lexical = lexical
        self._vectors = vectors
        self._followers = followers
        self._encoder = encoder
        self._prepare = prepare
        self.fields = fields
        self.lacking = lacking or {}

    def retrieve(self, query: Query, settings: FusionSettings) -> Retrieved:
        """Every list that the query asks for and the settings name, each to its window.

        Raises ``InvalidQuery`` and ``UnknownAsset``.
        """
        self.fields.check(query)
        with stage("refresh"):
            self.refresh()
        parsed = self.parse(query.text)
        with stage("filter"):
            allowed = self._lexical.allowed(parsed, query.filter)
        with stage("encode"):
            vectors = self._query_vectors(query, parsed, settings.lists)
        with stage("words"):
            lists = list(self._word_lists(query, parsed, settings.lists))
        own = self._own(query)
        for name, vector in vectors.items():
            window = settings.lists[name].window
            with stage("vectors"):
                found = self._nearest(name, vector, window, allowed, len(own))
            lists.append(
                found if name == "copy_semantic" else _similar(found, query.min_similarity)
            )
        if not parsed.clauses and not query.examples and "lexical" in settings.lists:
            lists.append(self._newest(allowed))
        if own:
            lists = [_without(own, candidates) for candidates in lists]
        among = None if allowed is None else len(allowed)
        with stage("believe"):
            believed = tuple(self._believed(c, parsed, vectors, among) for c in lists)
        return Retrieved(
            parsed,
            believed,
            vectors,
            self._watermark,
            self._cut_notes(query, parsed, vectors),
            tuple(outside(believed, self._vectors, self._lexical.count())),
            ".".join(self._vectors[name].baseline.version for name in vectors),
            judged=all(self._vectors[name].known for name in vectors),
        )

    def parse(self, text: str) -> ParsedQuery:
        """The clauses of what was typed; raises ``InvalidQuery``."""
        return parse_query(text, self.fields.queryable)

    def admits(self, query: Query, ordinal: Ordinal) -> bool:
        """Whether filter, excluded and required words let that version in."""
        allowed = self._lexical.allowed(self.parse(query.text), query.filter)
        if allowed is None:
            return True
        at = int(np.searchsorted(allowed, ordinal))
        return at < len(allowed) and int(allowed[at]) == ordinal

    def phrases_held(self, retrieved: Retrieved) -> dict[Ordinal, int]:
        """How many of the quoted phrases each candidate of any list contains, where any."""
        candidates = list(dict.fromkeys(o for c in retrieved.lists for o in c.ordinals))
        found = self._phrase_scores(retrieved.parsed, candidates)
        return {ordinal: len(scores) for ordinal, scores in found.items()}

    def scores_beyond(
        self, candidates: CandidateList, retrieved: Retrieved, ordinals: Sequence[Ordinal]
    ) -> dict[Ordinal, float]:
        """The scores of these versions in a list they did not reach, where they match at all."""
        missing = [ordinal for ordinal in ordinals if ordinal not in candidates.ordinals]
        if not missing or candidates.exhausted:
            return {}
        if candidates.name in retrieved.vectors:
            index = self._vectors[candidates.name].index
            return index.similarities(retrieved.vectors[candidates.name], missing)
        if candidates.name == "lexical":
            found = self._lexical.words(retrieved.parsed, len(missing), among=missing)
            return dict(zip(found.ordinals, found.scores, strict=True))
        held = self._phrase_scores(retrieved.parsed, missing)
        return {ordinal: sum(scores) for ordinal, scores in held.items()}

    def refresh(self) -> None:
        """See what was written since, here or by another process."""
        behind = self._catalog.last_sequence() > self._watermark
        if behind:
            self._lexical.refresh()
        for follower in self._followers:
            if behind:
                follower.catch_up()
            follower.reload()

    @property
    def _watermark(self) -> int:
        """The last operation that every vector index has."""
        return min(source.index.watermark for source in self._vectors.values())

    # -------------------------------------------------------------------------------- words

    def _word_lists(
        self, query: Query, parsed: ParsedQuery, lists: Mapping[ListName, ListSettings]
    ) -> Iterator[CandidateList]:
        if "phrase" in lists and parsed.phrases:
            yield self._holders(query, parsed, lists["phrase"].window)
        if "lexical" in lists and parsed.clauses:
            # A sorted answer holds every match of the words, not the best alone.
            window = BROWSED if query.sort is not None else lists["lexical"].window
            found = self._lexical.words(parsed, window, query.filter)
            yield matched(found, window, len(parsed.meaning.split()), self._lexical.count())

    def _holders(self, query: Query, parsed: ParsedQuery, window: int) -> CandidateList:
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
        scores = tuple(sum(held[ordinal]) for ordinal in best)
        return CandidateList("phrase", tuple(best), scores, window, total, "exact phrase")

    def _phrase_scores(
        self, parsed: ParsedQuery, among: Sequence[Ordinal]
    ) -> dict[Ordinal, list[float]]:
        """A score for each phrase that each of these versions contains."""
        held: dict[Ordinal, list[float]] = {}
        for phrase in parsed.phrases:
            found = self._lexical.phrase(phrase, len(among), among=among)
            for ordinal, score in zip(found.ordinals, found.scores, strict=True):
                held.setdefault(ordinal, []).append(score)
        return held

    def _newest(self, allowed: Ordinals | None) -> CandidateList:
        """Without words and pictures: the newest assets."""
        if allowed is None:
            newest = tuple(self._catalog.newest(BROWSED))
        else:
            newest = tuple(Ordinal(o) for o in allowed[::-1][:BROWSED].tolist())
        scores = (0.0,) * len(newest)
        return CandidateList("lexical", newest, scores, BROWSED, len(newest), "newest first")

    # ------------------------------------------------------------------------------ vectors

    def _query_vectors(
        self, query: Query, parsed: ParsedQuery, lists: Mapping[ListName, ListSettings]
    ) -> dict[ListName, Vectors]:
        asked = self._vectors.keys() & lists.keys()
        vectors: dict[ListName, Vectors] = {}
        if parsed.meaning and (matches_words := [name for name in OF_WORDS if name in asked]):
            vectors |= dict.fromkeys(matches_words, self._encoder.text(parsed.meaning))
        if "image_to_image" in asked and query.examples:
            vectors["image_to_image"] = self._blend(query.examples)
        return vectors

    def _cut_notes(
        self, query: Query, parsed: ParsedQuery, vectors: Mapping[ListName, Vectors]
    ) -> tuple[Note, ...]:
        """A note for each embedded text that is longer than the model reads."""
        texts = [parsed.meaning] if "text_to_image" in vectors else []
        if "image_to_image" in vectors:
            texts += [e.text for e in query.examples if e.text is not None]
        notes = [self._encoder.cut_note(text) for text in texts]
        return tuple(dict.fromkeys(note for note in notes if note is not None))

    def _own(self, query: Query) -> set[Ordinal]:
        """The examples themselves: nobody looks for what they hold already."""
        found = [self._catalog.find(e.id) for e in query.examples if e.id is not None]
        return {stored.ordinal for stored in found if stored is not None}

    def _nearest(
        self, name: ListName, vector: Vectors, window: int, allowed: Ordinals | None, spare: int
    ) -> CandidateList:
        """The nearest, ``spare`` more than the window, for as many will be left out."""
        found = self._vectors[name].index.search(vector, window + spare, allowed)
        return CandidateList(name, found.ordinals, found.scores, window, None, found.plan)

    def _believed(
        self,
        candidates: CandidateList,
        parsed: ParsedQuery,
        vectors: Mapping[ListName, Vectors],
        among: int | None,
    ) -> CandidateList:
        """A list of what lies near words, each hit with how far it stands out; others as they are.

        An example is taken at its word: pictures come in clusters, of which all are alike.
        """
        name = candidates.name
        if name not in OF_WORDS:
            return candidates
        return self._vectors[name].believed(candidates, vectors[name], parsed.meaning, among)

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
        if example.text is not None:
            return self._encoder.text(example.text)
        data = example.picture or b""
        return self._encoder.picture(digest_of(data), lambda how: self._prepare(data, how))

    def _stored_vector(self, asset_id: AssetId) -> Vectors:
        stored = self._catalog.find(asset_id)
        if stored is None:
            raise UnknownAsset(f"no asset has the id {asset_id!r}")
        vector = self._vectors["image_to_image"].index.vector(stored.ordinal)
        if vector is None:
            raise InvalidQuery(f"like: the asset {asset_id!r} has no picture")
        return vector


def _similar(candidates: CandidateList, least: float | None) -> CandidateList:
    """The list without what is less similar than that."""
    if least is None:
        return candidates
    count = sum(score >= least for score in candidates.scores)
    return replace(
        candidates.only(range(count)),
        total=count if count < len(candidates.scores) else candidates.total,
        plan=f"{candidates.plan}, from {least} up",
    )


def _without(own: set[Ordinal], candidates: CandidateList) -> CandidateList:
    """The list without these, cut to its window."""
    kept = [place for place, o in enumerate(candidates.ordinals) if o not in own]
    total = candidates.total
    if total is not None:
        total -= sum(ordinal in own for ordinal in candidates.ordinals)
    return replace(candidates.only(kept[: candidates.window]), total=total)
