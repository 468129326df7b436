"""The sections of the settings: each setting with its type, its limits and its description.

The descriptions are shown to users.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from hybrid_search.core import (
    LISTS,
    NO_MATCH,
    Challenger,
    FusionMethod,
    FusionSettings,
    ListName,
    ListSettings,
    ListSpec,
)
from hybrid_search.core.field_schema import MAX_BOOST, STANDARD, FieldRule, FieldType
from hybrid_search.core.model_choice import AS_TYPED, ModelChoice, Precision
from hybrid_search.core.picture_limits import PictureLimits

Window = Annotated[int, Field(ge=1, le=1000)]
Weight = Annotated[float, Field(ge=0.0, le=100.0)]
Confidence = Annotated[float, Field(ge=0.0, le=1.0)]


class Section(BaseModel):
    """A part of the settings: immutable, with unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Prompt = Annotated[str, Field(pattern=r"^[^{}]*\{\}[^{}]*$", max_length=200)]


class EmbeddingSection(Section):
    """The model that embeds pictures and texts."""

    model: str = "embedded"
    """``embedded`` for the model in the package, an open_clip architecture (``ViT-B-32``), a hub
    repository (``hf-hub:…``) or a local folder (``local-dir:/folder``)."""
    pretrained: str | None = None
    """Weights for an architecture: an open_clip tag, which is downloaded, or a local file."""
    precision: Precision = "auto"
    """``fp32``, ``bf16`` or ``auto``. ``auto`` uses bf16 where it is faster on this processor and
    the vectors keep a cosine of at least .999 to those of fp32; both are measured at load."""
    prompts: Literal["auto"] | tuple[Prompt, ...] = "auto"
    """Prompt templates for a query's text, such as ``["a photo of {}"]``; the vectors of several
    are averaged. ``[]`` embeds the text as typed, ``auto`` uses the model catalogue's templates."""
    batch_size: Annotated[int, Field(ge=1, le=1024)] = 16
    """Pictures or texts in one forward pass. More than 16 exceed the caches of most processors."""
    threads: Annotated[int, Field(ge=0, le=256)] = 0
    """Threads of one forward pass; 0 is one per core."""
    cached_queries: Annotated[int, Field(ge=0, le=1_000_000)] = 10_000
    """Query vectors that are cached."""
    embed_copy: bool = True
    """Whether texts are embedded too, so that a query finds texts of similar meaning."""

    def choice(self) -> ModelChoice:
        """The model to load."""
        prompts = None if self.prompts == "auto" else self.prompts or AS_TYPED
        given = self.model_dump(exclude={"cached_queries", "embed_copy", "prompts"})
        return ModelChoice(**given, prompts=prompts)


class LexicalSection(Section):
    """Text analysis."""

    analyzer: Literal["kiwi", "rules"] = "kiwi"
    """``kiwi`` for Korean morphological analysis, ``rules`` for an analyzer without a
    dictionary."""
    user_words: tuple[str, ...] = ()
    """Brand names and new words that Kiwi must not split."""
    synonyms: Path | None = None
    """A file of synonyms, reloaded when it changes. By default ``synonyms.txt`` in the data
    folder."""


class FieldSection(Section):
    """How one field is used. Keys that are left out keep the field's defaults."""

    type: FieldType | None = None
    """Type of an attribute: ``text``, ``number``, ``boolean`` or ``date`` (ISO 8601). Assets with
    other values are refused. ``9,900`` is read as a number."""
    searched: bool | None = None
    """Whether queries search its text."""
    boost: Annotated[int, Field(ge=1, le=MAX_BOOST)] | None = None
    """Weight of a word in this field (BM25F): 2 counts each occurrence twice."""
    filtered: bool | None = None
    """Whether filters can use it."""
    facetted: bool | None = None
    """Whether its values can be counted as a facet."""

    def rule(self, name: str) -> FieldRule:
        """The complete rule for the field of that name."""
        return replace(STANDARD.get(name, FieldRule()), **self.model_dump(exclude_none=True))


class VectorSection(Section):
    """The vector index. Where 0 is allowed, it derives the value from the number of vectors."""

    kind: Literal["auto", "flat", "hnsw", "ivf", "ivf_pq", "ivf_rabitq"] = "auto"
    """``flat`` compares every vector, ``hnsw`` searches a graph, ``ivf`` searches the nearest
    clusters, ``ivf_pq`` and ``ivf_rabitq`` do so with compressed codes. ``auto`` is ``flat`` up to
    ``flat_limit`` vectors, above it the most accurate kind that fits into ``memory_mb``."""
    storage: Literal["f32", "bf16", "sq8"] = "f32"
    """How ``flat``, ``hnsw`` and ``ivf`` store vectors: 4, 2 or 1 byte per component. The best
    candidates are scored again with the exact vectors, from disk."""
    memory_mb: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    """Memory limit of ``auto`` for each index; 0 is half of the machine's memory for all
    indexes."""
    flat_limit: Annotated[int, Field(ge=0, le=10_000_000)] = 20_000
    """Number of vectors up to which ``auto`` searches exactly."""
    m: Annotated[int, Field(ge=4, le=128)] = 32
    """HNSW: links per node."""
    ef_construction: Annotated[int, Field(ge=8, le=2000)] = 100
    """HNSW: candidates kept while building."""
    ef_search: Annotated[int, Field(ge=0, le=5000)] = 0
    """HNSW: candidates kept while searching; 0 is tuned to reach ``recall``."""
    recall: Annotated[float, Field(ge=0.0, le=1.0)] = 0.99
    """Recall@10 to which a rebuild tunes ``ef_search`` or ``nprobe`` where they are 0, measured
    with pictures and titles of the corpus as queries."""
    nlist: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """IVF: clusters; 0 is four times the square root of the number of vectors."""
    nprobe: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """IVF: clusters searched per query; 0 is tuned to reach ``recall``. Before the first rebuild it
    is an eighth of the clusters, at least 32."""
    pq_m: Annotated[int, Field(ge=0, le=4096)] = 0
    """PQ: subvectors per vector; 0 is one per four components."""
    pq_bits: Literal[4, 8] = 4
    """PQ: bits per subvector; 4 uses Faiss' fast scan."""
    rerank: Annotated[int, Field(ge=0, le=1000)] = 0
    """Candidates that are scored again exactly, per requested hit; 0 is 1 for bf16, 2 for sq8 and
    10 for compressed codes."""
    exact_below: Annotated[int, Field(ge=0, le=10_000_000)] = 20_000
    """A filter that matches at most this many vectors is searched exactly."""
    fold_after: Annotated[int, Field(ge=1, le=1_000_000)] = 4096
    """Size of the write buffer, in vectors, above which it is merged into the index, provided that
    it is also at least 1/32 of the index."""
    rebuild_tombstones: Annotated[float, Field(ge=0.01, le=1.0)] = 0.3
    """Share of deleted vectors above which the index is rebuilt, provided that they are also at
    least a quarter of ``fold_after``."""
    rebuild_drift: Annotated[float, Field(ge=0.01, le=100.0)] = 0.3
    """Relative growth of the clusters' imbalance, or of the coding error of new vectors, above
    which the index is rebuilt."""
    build_threads: Annotated[int, Field(ge=0, le=256)] = 0
    """Threads that build an index; 0 is one in the service and all cores elsewhere."""
    min_recall: Annotated[float, Field(ge=0.0, le=1.0)] = 0.9
    """Recall@10 against exact search below which a rebuilt index is not used."""


class ListSection(Section):
    """How one candidate list takes part in fusion."""

    window: Window = 100
    """Maximum number of candidates of the list."""
    weight: Weight = 1.0
    """Weight of the list in fusion, relative to the other lists."""
    no_match_below: Confidence = NO_MATCH
    """Confidence of a candidate below which it does not match by this list."""


def _list_section(spec: ListSpec) -> Any:
    """The setting of one list: a section with the defaults of the list."""
    section = create_model(
        f"{spec.name}_section",
        __base__=ListSection,
        __module__=__name__,
        window=(Window, spec.window),
        weight=(Weight, spec.weight),
        no_match_below=(Confidence, spec.no_match_below),
    )
    # Workers of the service unpickle settings, which finds classes by their names.
    globals()[section.__name__] = section
    return section, Field(section(), description=spec.description)


_ListSections = create_model(
    "_ListSections", __base__=Section, **{name: _list_section(spec) for name, spec in LISTS.items()}
)
"""A section for each list of the table."""


class FusionSection(_ListSections):  # type: ignore[misc, valid-type]  # made from the table
    """Fusion of the candidate lists.

    In reciprocal rank fusion each list adds weight / (rank_constant + rank).
    """

    method: FusionMethod = "confident_rrf"
    """How the lists become one ranking. ``confident_rrf`` multiplies what a list adds by the
    candidate's confidence."""
    rank_constant: Annotated[float, Field(gt=0.0, le=10_000.0)] = 30.0
    """A large value makes ranks count alike, a small one favours the top ranks."""

    def settings(self) -> FusionSettings:
        """The configured fusion, with every list."""
        sections: dict[ListName, ListSection] = {n: getattr(self, n) for n in LISTS}
        return FusionSettings(
            method=self.method,
            rank_constant=self.rank_constant,
            lists={
                n: ListSettings(s.window, s.weight, s.no_match_below) for n, s in sections.items()
            },
        )


class ChallengerSection(Section):
    """Another fusion that is compared with the configured one by interleaving in logged searches.

    Keys that are left out are as configured.
    """

    name: Annotated[str, Field(max_length=60)] = ""
    """Its name in reports. Without a name there is no comparison."""
    method: FusionMethod | None = None
    """Its fusion method."""
    rank_constant: Annotated[float, Field(gt=0.0, le=10_000.0)] | None = None
    """Its rank constant."""
    weights: dict[ListName, Weight] = {}
    """Its weights by list, such as ``{ copy_semantic = 2.0 }``."""

    def challenger(self, configured: FusionSettings) -> Challenger | None:
        """The challenger to interleave; ``None`` without a name."""
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
    """The log of searches and clicks. It does not identify users and is off by default."""

    log: bool = False
    """Whether searches that ask for it, and clicks on their hits, are stored in the catalog."""
    keep_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """Days after which they are deleted."""
    challenger: ChallengerSection = ChallengerSection()
    """The fusion that the configured one is compared with, by clicks."""


class PictureSection(Section):
    """Limits on pictures."""

    max_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 20 * 1024 * 1024
    """Maximum size of a picture file."""
    max_pixels: Annotated[int, Field(ge=1, le=1_000_000_000)] = 40_000_000
    """Maximum width times height, checked before decoding."""
    max_side: Annotated[int, Field(ge=1, le=65_535)] = 16_384
    """Maximum length of the longer side, in pixels."""
    decode_seconds: Annotated[float, Field(gt=0, le=600)] = 10.0
    """Time limit for decoding one picture in a decoder process."""
    decode_mb: Annotated[int, Field(ge=256, le=1_000_000)] = 2048
    """Address space of a decoder process: several times what ``max_pixels`` need."""
    thumbnail: Annotated[int, Field(ge=32, le=2048)] = 384
    """Longer side of thumbnails, in pixels."""

    def limits(self) -> PictureLimits:
        """The limits for decoding."""
        return PictureLimits(**self.model_dump(exclude={"thumbnail"}))


class IngestSection(Section):
    """Indexing of assets."""

    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 64
    """Assets that are stored, indexed and acknowledged together. Four batches are in memory."""
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    """Processes that decode pictures."""


class StorageSection(Section):
    """Safety of stored data."""

    verify_at_start: bool = True
    """Whether a writer or the service checks every index file against its hash, and the catalog's
    pages, at the start. It takes about a second per gigabyte."""
    reserve_mb: Annotated[int, Field(ge=0, le=1_000_000)] = 64
    """Free disk space below which nothing new is stored. Searches and deletions continue."""


class ServerSection(Section):
    """The HTTP service."""

    host: str = "127.0.0.1"
    """Address to listen on. An address that other machines reach needs API keys:
    ``hybrid-search keys add``."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    """Port to listen on; 0 picks a free one."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Worker processes, one of which writes. Each loads the model and has the limits below."""
    max_body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 32 * 1024 * 1024
    """Maximum size of a request body."""
    max_bulk_bytes: Annotated[int, Field(ge=1024, le=1 << 40)] = 1 << 30
    """Maximum size of a bulk upload; above it: 413."""
    max_bulk_rows: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """Maximum number of rows of a bulk upload; above it: 413."""
    max_in_flight: Annotated[int, Field(ge=1, le=1024)] = 32
    """Read requests that are processed at once; further ones wait."""
    max_waiting: Annotated[int, Field(ge=0, le=10_000)] = 64
    """Requests that may wait, for reads and for writes each; further ones get 503."""
    deadline_seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """Seconds after which a search is cancelled, whether it waits or runs: 503."""
    max_header_bytes: Annotated[int, Field(ge=1024, le=1 << 20)] = 64 * 1024
    """Maximum size of a request's line and headers; above it: 431."""
    header_seconds: Annotated[float, Field(gt=0, le=600)] = 10.0
    """Seconds within which a request's headers must be complete: 408."""
    body_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    """Seconds that a body may pause or lag behind 1 kB/s: 408. Also the seconds that a response may
    stay unread, or that the rest of a refused body may take, before the connection is closed."""
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Maximum number of open connections; further ones get 503."""
    rate_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Requests per minute for each API key, or for each address without keys; 0 is no limit."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose scripts may use the API, such as ``["https://ads.example"]``; none by
    default."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The lowest level that is logged."""
    log_requests: bool = False
    """Whether each request is logged in one line, without its query text, body or key."""
    traces: bool = False
    """Whether requests and the stages of a search are traced with OpenTelemetry, which its own
    variables configure (``OTEL_EXPORTER_OTLP_ENDPOINT``). Needs ``hybrid_search[otel]``."""
    audit_mb: Annotated[int, Field(ge=1, le=10_000)] = 64
    """Size of the audit log above which a new file is started. Five older files are kept."""
    drain_seconds: Annotated[int, Field(ge=0, le=600)] = 10
    """Seconds that running requests may take to finish after a stop signal."""
