"""The sections of the settings: each setting with its type, its limits and what it does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hybrid_search.core import (
    LIST_NAMES,
    NO_MATCH,
    Challenger,
    FusionMethod,
    FusionSettings,
    ListName,
    ListSettings,
)
from hybrid_search.core.field_schema import MAX_BOOST, STANDARD, FieldRule, FieldType
from hybrid_search.core.model_choice import AS_TYPED, ModelChoice, Precision
from hybrid_search.core.picture_limits import PictureLimits

Window = Annotated[int, Field(ge=1, le=1000)]
Weight = Annotated[float, Field(ge=0.0, le=100.0)]


class Section(BaseModel):
    """A part of the settings: unknown keys are refused, values never change."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


Prompt = Annotated[str, Field(pattern=r"^[^{}]*\{\}[^{}]*$", max_length=200)]


class EmbeddingSection(Section):
    """Which model turns pictures and texts into vectors."""

    model: str = "embedded"
    """``embedded`` for the model shipped with the package, an open_clip architecture
    (``ViT-B-32``), ``hf-hub:…``, or ``local-dir:/folder``."""
    pretrained: str | None = None
    """Weights for an architecture: an open_clip tag (downloaded) or a local file."""
    precision: Precision = "auto"
    """``fp32``, ``bf16``, or ``auto``: bf16 where this processor is faster in it and the model's
    vectors stay the same to a cosine of .999, which is tried at load."""
    prompts: Literal["auto"] | tuple[Prompt, ...] = "auto"
    """Templates around a query's text, ``["a photo of {}"]``, whose vectors are averaged; none
    leaves it as typed, ``auto`` takes what is known to help the model."""
    batch_size: Annotated[int, Field(ge=1, le=1024)] = 16
    """Pictures a forward pass; more do not fit into the caches of most processors."""
    threads: Annotated[int, Field(ge=0, le=256)] = 0
    """Threads of one forward pass; 0 is one a core."""
    cached_queries: Annotated[int, Field(ge=0, le=1_000_000)] = 10_000
    """How many query embeddings are kept."""
    embed_copy: bool = True
    """Whether copy is embedded too, so that words find copy of near meaning."""

    def choice(self) -> ModelChoice:
        """The same as a record."""
        prompts = None if self.prompts == "auto" else self.prompts or AS_TYPED
        given = self.model_dump(exclude={"cached_queries", "embed_copy", "prompts"})
        return ModelChoice(**given, prompts=prompts)


class LexicalSection(Section):
    """How copy is analysed."""

    analyzer: Literal["kiwi", "rules"] = "kiwi"
    """``kiwi`` for Korean morphology, ``rules`` for the analyser without a dictionary."""
    user_words: tuple[str, ...] = ()
    """Brands and coinages that Kiwi must keep whole."""
    synonyms: Path | None = None
    """A file of synonyms, read again when it changes; ``synonyms.txt`` in the data folder where
    none is named."""


class FieldSection(Section):
    """What one field is for; what is not said stays as it is for such a field."""

    type: FieldType | None = None
    """What an attribute holds: ``text``, ``number``, ``boolean`` or ``date`` (ISO 8601). Others
    are refused when they come in; ``9,900`` is read as a number."""
    searched: bool | None = None
    """Whether its words and phrases are found."""
    boost: Annotated[int, Field(ge=1, le=MAX_BOOST)] | None = None
    """How often a word in it counts against the same word elsewhere (BM25F)."""
    filtered: bool | None = None
    """Whether filters can name it."""
    facetted: bool | None = None
    """Whether its values can be counted."""

    def rule(self, name: str) -> FieldRule:
        """The whole rule for the field of that name."""
        return replace(STANDARD.get(name, FieldRule()), **self.model_dump(exclude_none=True))


class VectorSection(Section):
    """How nearest neighbours are found. Where 0 stands, the value follows from the size."""

    kind: Literal["auto", "flat", "hnsw", "ivf", "ivf_pq", "ivf_rabitq"] = "auto"
    """``flat`` looks at every vector, ``hnsw`` walks a graph, ``ivf`` looks into the nearest
    lists, ``ivf_pq`` and ``ivf_rabitq`` do so over short codes. ``auto`` is ``flat`` up to
    ``flat_limit`` vectors and beyond it the most accurate that fits into ``memory_mb``."""
    storage: Literal["f32", "bf16", "sq8"] = "f32"
    """How ``flat``, ``hnsw`` and ``ivf`` keep vectors: 4, 2 or 1 byte a component. The best
    candidates are scored again exactly, from disk."""
    memory_mb: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    """What ``auto`` may take of the memory for each index; 0 is half of the machine's for all."""
    flat_limit: Annotated[int, Field(ge=0, le=10_000_000)] = 20_000
    """Vectors up to which ``auto`` searches exactly."""
    m: Annotated[int, Field(ge=4, le=128)] = 32
    """HNSW: links a node."""
    ef_construction: Annotated[int, Field(ge=8, le=2000)] = 100
    """HNSW: breadth of the search while building."""
    ef_search: Annotated[int, Field(ge=0, le=5000)] = 0
    """HNSW: breadth of the search for a query; 0 is what ``recall`` needs."""
    recall: Annotated[float, Field(ge=0.0, le=1.0)] = 0.99
    """Recall@10, on pictures and titles of the corpus, for which a rebuild chooses ``ef_search`` or
    ``nprobe`` where they are 0."""
    nlist: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """IVF: lists; 0 is four times the square root of the count."""
    nprobe: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """IVF: lists that a query looks into; 0 is what ``recall`` needs, and before the first rebuild
    an eighth of them, at least 32."""
    pq_m: Annotated[int, Field(ge=0, le=4096)] = 0
    """PQ: parts that a vector is cut into; 0 is one for four components."""
    pq_bits: Literal[4, 8] = 4
    """PQ: bits a part; 4 is searched by the fast scan."""
    rerank: Annotated[int, Field(ge=0, le=1000)] = 0
    """Candidates for each hit wanted that are scored again exactly; 0 is 1 for 16 bits a
    component, 2 for 8, 10 for codes."""
    exact_below: Annotated[int, Field(ge=0, le=10_000_000)] = 20_000
    """A filter that allows at most so many vectors is searched exactly."""
    fold_after: Annotated[int, Field(ge=1, le=1_000_000)] = 4096
    """New vectors beyond which the tail is folded into the index, once it is also a
    thirty-second of it."""
    rebuild_tombstones: Annotated[float, Field(ge=0.01, le=1.0)] = 0.3
    """Share of dead vectors beyond which the index is built anew, once they are a quarter of
    ``fold_after``."""
    rebuild_drift: Annotated[float, Field(ge=0.01, le=100.0)] = 0.3
    """Growth of the lists' imbalance, or of the coding error of new vectors, beyond which the
    index is built anew."""
    build_threads: Annotated[int, Field(ge=0, le=256)] = 0
    """Threads that build an index; 0 is one in a service, and all cores elsewhere."""
    min_recall: Annotated[float, Field(ge=0.0, le=1.0)] = 0.9
    """Recall@10 against exact search below which a new index is not published."""


class ListSection(Section):
    """How one ranked list takes part in fusion."""

    window: Window = 100
    """Candidates the list may give."""
    weight: Weight = 1.0
    """What a rank in it is worth, against the other lists."""
    no_match_below: Annotated[float, Field(ge=-1.0, le=1.0)] = NO_MATCH
    """Confidence of its best candidate, of ``image_to_image`` its cosine, below which the list has
    found no good match."""


class PhraseListSection(ListSection):
    """How the list of exact phrases takes part: deeper, for its hits stand above all others."""

    window: Window = 200
    """Candidates the list may give."""


class LexicalListSection(ListSection):
    """How the list of words takes part: what is written is worth more than what lies near it."""

    weight: Weight = 2.0
    """What a rank in it is worth, against the other lists."""


class FusionSection(Section):
    """Reciprocal rank fusion: each list adds weight / (rank_constant + rank)."""

    method: FusionMethod = "confident_rrf"
    """``confident_rrf`` multiplies what a list adds by the evidence for it; others are dialects."""
    rank_constant: Annotated[float, Field(gt=0.0, le=10_000.0)] = 30.0
    """Large values make ranks alike, small ones favour the top."""
    phrase: PhraseListSection = PhraseListSection()
    """Assets that contain a quoted phrase."""
    lexical: LexicalListSection = LexicalListSection()
    """Assets that match the words, by BM25."""
    text_to_image: ListSection = ListSection()
    """Pictures near the meaning of the words."""
    copy_semantic: ListSection = ListSection()
    """Copy near the meaning of the words."""
    image_to_image: ListSection = ListSection()
    """Pictures near the example pictures."""

    def settings(self) -> FusionSettings:
        """The same as a record."""
        sections: dict[ListName, ListSection] = {n: getattr(self, n) for n in LIST_NAMES}
        return FusionSettings(
            method=self.method,
            rank_constant=self.rank_constant,
            lists={
                n: ListSettings(s.window, s.weight, s.no_match_below) for n, s in sections.items()
            },
        )


class ChallengerSection(Section):
    """Another way to fuse, mixed into logged searches; what is not said is as configured."""

    name: Annotated[str, Field(max_length=60)] = ""
    """What it is called in reports; without a name nothing is mixed."""
    method: FusionMethod | None = None
    """How its lists become one."""
    rank_constant: Annotated[float, Field(gt=0.0, le=10_000.0)] | None = None
    """Its rank constant."""
    weights: dict[ListName, Weight] = {}
    """Weights by list: ``{ copy_semantic = 2.0 }``."""

    def challenger(self, configured: FusionSettings) -> Challenger | None:
        """The same as a record; ``None`` without a name."""
        if not self.name:
            return None
        lists = {
            name: replace(one, weight=self.weights.get(name, one.weight))
            for name, one in configured.lists.items()
        }
        settings = FusionSettings(
            self.rank_constant or configured.rank_constant, lists, self.method or configured.method
        )
        return Challenger(self.name, settings)


class FeedbackSection(Section):
    """The log of what is searched and clicked: of nobody, and off unless it is wanted."""

    log: bool = False
    """Whether searches that ask for it, and clicks on their hits, are kept in the catalog."""
    keep_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """Days after which they are removed."""
    challenger: ChallengerSection = ChallengerSection()
    """What the configured ranking is compared with, by clicks."""


class PictureSection(Section):
    """Which pictures are accepted."""

    max_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 20 * 1024 * 1024
    """Size of the file."""
    max_pixels: Annotated[int, Field(ge=1, le=1_000_000_000)] = 40_000_000
    """Width times height, checked before decoding."""
    max_side: Annotated[int, Field(ge=1, le=65_535)] = 16_384
    """The longer side in pixels."""
    decode_seconds: Annotated[float, Field(gt=0, le=600)] = 10.0
    """Time that decoding one picture may take, in a process of its own."""
    decode_mb: Annotated[int, Field(ge=256, le=1_000_000)] = 2048
    """Address space of such a process: what ``max_pixels`` need, several times over."""
    thumbnail: Annotated[int, Field(ge=32, le=2048)] = 384
    """The longer side of thumbnails in pixels."""

    def limits(self) -> PictureLimits:
        """What the checker of pictures takes."""
        return PictureLimits(**self.model_dump(exclude={"thumbnail"}))


class IngestSection(Section):
    """How assets come in."""

    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 64
    """Assets that are stored, indexed and acknowledged together; four batches are in memory."""
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    """Processes that decode pictures."""


class StorageSection(Section):
    """How what is stored is kept safe."""

    verify_at_start: bool = True
    """Whether who writes, or serves, compares every index file with its hash at the start, and the
    catalog's pages with each other: about a second for each gigabyte."""
    reserve_mb: Annotated[int, Field(ge=0, le=1_000_000)] = 64
    """Free space below which nothing new is stored; deletions, and what serves, go on."""


class ServerSection(Section):
    """The service."""

    host: str = "127.0.0.1"
    """Address to listen on; one that others reach needs keys: ``hybrid-search keys add``."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    """Port to listen on; 0 takes a free one."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that serve; one of them writes. Each holds the model, and has the limits below."""
    max_body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 32 * 1024 * 1024
    """Size of a request body."""
    max_bulk_bytes: Annotated[int, Field(ge=1024, le=1 << 40)] = 1 << 30
    """Size of the body of an upload in bulk: 413."""
    max_bulk_rows: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """Rows of an upload in bulk, each of which may be in the report: 413."""
    max_in_flight: Annotated[int, Field(ge=1, le=1024)] = 32
    """Requests that read and are worked on at once; further ones wait."""
    max_waiting: Annotated[int, Field(ge=0, le=10_000)] = 64
    """Requests that wait for their turn, of those that read and of those that write each; further
    ones are answered 503."""
    deadline_seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """Seconds after which a search is given up, waiting or under way: 503."""
    max_header_bytes: Annotated[int, Field(ge=1024, le=1 << 20)] = 64 * 1024
    """Size of a request's line and headers: 431."""
    header_seconds: Annotated[float, Field(gt=0, le=600)] = 10.0
    """Seconds until a request's headers must be whole: 408."""
    body_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    """Seconds that a body may pause, or lag behind a kilobyte a second: 408; that an answer may
    stay unread, or the rest of a refused body may take to come: the connection is closed."""
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Connections that may be open; further ones are answered 503."""
    rate_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Requests that a key, or an address where there are no keys, may make; 0 sets no limit."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose scripts may use the API, ``["https://ads.example"]``; none by default."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is logged, at least."""
    log_requests: bool = False
    """Whether each request is logged, in a line: never its text, its body or its key."""
    traces: bool = False
    """Whether each request and each stage of a search is a span, sent by OpenTelemetry to where its
    own variables say, ``OTEL_EXPORTER_OTLP_ENDPOINT`` first; needs ``hybrid_search[otel]``."""
    audit_mb: Annotated[int, Field(ge=1, le=10_000)] = 64
    """Size of the log of writes beyond which a new file is begun; five older ones are kept."""
    drain_seconds: Annotated[int, Field(ge=0, le=600)] = 10
    """How long running requests may finish after a signal to stop."""
