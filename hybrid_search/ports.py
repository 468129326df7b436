"""What the roads need from the stores and models, as Protocols that adapters do not inherit.

One contract suite per port runs against every implementation and the in-memory fakes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from hybrid_search.preparation import Pixels, Preparation
from hybrid_search.records import (
    Asset,
    AssetId,
    Digest,
    Filter,
    Ordinal,
    PictureFacts,
    Span,
    StoredAsset,
)
from hybrid_search.text.query_language import ParsedQuery

Vectors = npt.NDArray[np.float32]
"""``(n, d)`` float32, unit rows."""

Ordinals = npt.NDArray[np.int64]
"""``(n,)`` int64."""


NEWEST = Ordinal(1 << 62)
"""Above every ordinal."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked asset that is ready to be stored."""

    asset: Asset
    picture: PictureFacts | None
    content: Digest
    """Hash of the record and the picture: equal content changes nothing."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of the catalog's history."""

    sequence: int
    """From 1 upwards, without reuse."""
    kind: Literal["add", "drop"]
    ordinal: Ordinal


Subject = Literal["picture", "copy"]
"""What of an asset is embedded.

A vector is kept by a hash: of a picture's bytes, or, of copy, of an asset's whole content.
"""


@dataclass(frozen=True, slots=True)
class LiveVectors:
    """Vectors in order of ordinal, too many to hold at once."""

    sequence: int
    """The catalog's last operation when they were alive."""
    count: int
    portions: Iterable[tuple[Ordinals, Vectors]]
    """All of them, some at a time; read once."""


class Catalog(Protocol):
    """The store of record. Every other store can be rebuilt from it.

    A write is durable when the call returns. Reads see the last committed write.
    """

    def contents(self, ids: Sequence[AssetId]) -> dict[AssetId, Digest]:
        """The content hash of each id that is live."""
        ...

    def put(self, drafts: Sequence[Draft]) -> list[Ordinal]:
        """New ordinals in the order of the drafts; earlier versions are dead. All or nothing."""
        ...

    def delete(self, ids: Sequence[AssetId]) -> list[AssetId]:
        """The ids that were live and are now dead."""
        ...

    def live(self, ordinals: Sequence[Ordinal]) -> set[Ordinal]:
        """Those of the ordinals that are the live version of their asset."""
        ...

    def fetch(self, ordinals: Sequence[Ordinal]) -> dict[Ordinal, StoredAsset]:
        """The versions with these ordinals, dead ones included; unknown ones are left out."""
        ...

    def find(self, asset_id: AssetId) -> StoredAsset | None:
        """The live version of the asset."""
        ...

    def newest(self, limit: int, before: Ordinal | None = None) -> list[Ordinal]:
        """Live ordinals in falling order, below ``before`` if given."""
        ...

    def operations(self, after: int, limit: int) -> list[Operation]:
        """What happened after that sequence number, in order, at most ``limit`` steps."""
        ...

    def last_sequence(self) -> int:
        """The sequence number of the last operation, 0 when there is none."""
        ...

    def count(self) -> int:
        """The number of live assets."""
        ...

    def store_embeddings(self, model: str, vectors: Mapping[Digest, Vectors]) -> None:
        """Keep one vector ``(d,)`` per content hash and model; an existing one is kept."""
        ...

    def embeddings(self, model: str, digests: Sequence[Digest]) -> dict[Digest, Vectors]:
        """The stored vectors ``(d,)`` of these contents; unknown ones are left out."""
        ...

    def digests(self, ordinals: Sequence[Ordinal], subject: Subject) -> dict[Ordinal, Digest]:
        """The hash under which that subject of each version is embedded, dead ones included.

        Versions without a picture have none for it; unknown ones are left out.
        """
        ...

    def live_vectors(
        self,
        model: str,
        above: Ordinal,
        subject: Subject = "picture",
        upto: Ordinal = NEWEST,
    ) -> AbstractContextManager[LiveVectors]:
        """The vectors of the living with ordinals in that range, as of one moment.

        Writes go on while they are read.
        """
        ...

    def embedded(self, model: str, digests: Sequence[Digest]) -> dict[Digest, PictureFacts]:
        """The facts of those pictures that were stored and have a vector of that model."""
        ...

    def unembedded(self, model: str, subject: Subject = "picture") -> dict[Digest, Ordinal]:
        """What of live assets has no vector of that model yet, and a live version that has it.

        Of copy, also the versions that have none.
        """
        ...

    def close(self) -> None:
        """Release the files."""
        ...


class PictureStore(Protocol):
    """Pictures by the hash of their bytes."""

    def put(self, digest: Digest, data: bytes) -> None:
        """Keep the bytes; durable when the call returns. Known content is left as it is."""
        ...

    def read(self, digest: Digest) -> bytes:
        """The bytes; raises ``IndexCorrupt`` when they are missing."""
        ...

    def thumbnail(self, digest: Digest, side: int) -> bytes:
        """A WebP whose longer side is at most ``side`` pixels, made once and kept."""
        ...


@dataclass(frozen=True, slots=True)
class LexicalMatches:
    """Matches of a lexical search, best first; equal scores stand in order of ordinal."""

    ordinals: tuple[Ordinal, ...]
    scores: tuple[float, ...]
    total: int
    """How many assets match, beyond the limit too."""


class FacetBucket(NamedTuple):
    """One value of a field among the matches."""

    example: Ordinal
    """One of the assets that hold it, to show the value as it is spelt there."""
    key: str
    """The value in the one spelling that ``facet_key`` gives it."""
    assets: int
    """How many hold it."""


class Completion(NamedTuple):
    """A suggestion for what is being typed."""

    text: str
    assets: int
    """How many assets hold it."""


class LexicalIndex(Protocol):
    """The inverted index: exact phrases, words ranked by BM25, and filters.

    Writes are visible and durable after ``commit``. A search sees one commit from begin to end.
    """

    def add(self, entries: Iterable[StoredAsset]) -> None:
        """Index these versions."""
        ...

    def remove(self, ordinals: Iterable[Ordinal]) -> None:
        """Forget these versions; unknown ones are no error."""
        ...

    def commit(self, watermark: int) -> None:
        """Make all since the last commit visible and durable, and remember the watermark."""
        ...

    @property
    def watermark(self) -> int:
        """The watermark of the commit that searches see; 0 for a new index."""
        ...

    @property
    def fingerprint(self) -> str:
        """Names the analyser (name, version, user words) that this index is built with."""
        ...

    def words(
        self,
        query: ParsedQuery,
        limit: int,
        where: Filter | None = None,
        among: Sequence[Ordinal] | None = None,
        *,
        require_all: bool = False,
    ) -> LexicalMatches:
        """The assets that match the query's words and operators, ranked by BM25.

        ``where`` must match but does not score; ``among`` restricts to these versions;
        ``require_all`` keeps to assets that match every word.
        """
        ...

    def phrase(
        self,
        phrase: str,
        limit: int,
        where: Filter | None = None,
        among: Sequence[Ordinal] | None = None,
    ) -> LexicalMatches:
        """The assets that contain the phrase; written with the same spacing before the rest.

        Inside either group the BM25 score of the phrase decides.
        """
        ...

    def allowed(self, query: ParsedQuery | None, where: Filter | None) -> Ordinals | None:
        """The ordinals, ascending, that every list must keep to; ``None`` for no restriction.

        They match the filter and the query's binding operators: ``+must``, ``-not`` and
        ``field:value``.
        """
        ...

    def highlight(self, query: ParsedQuery, asset: Asset) -> tuple[Span, ...]:
        """Where the asset's copy matches, in order of field and start, without overlaps."""
        ...

    def facet(
        self,
        field: str,
        query: ParsedQuery,
        where: Filter | None,
        also: Sequence[Ordinal],
        limit: int,
    ) -> tuple[FacetBucket, ...]:
        """The field's values over all assets that match the words or are among ``also``.

        Without words and ``also``, over all that the filter matches. Those of most assets
        first; texts that differ in case only count as one.
        """
        ...

    def complete(self, typed: str, limit: int) -> tuple[Completion, ...]:
        """Names and words that begin as typed, those of most assets first, then by alphabet.

        Unfinished syllables, initial consonants and the other keyboard layout count as well.
        """
        ...

    def corrections(self, query: ParsedQuery, limit: int = 3) -> tuple[str, ...]:
        """The query with its unknown words replaced by near ones, likeliest first.

        Empty when every word is known, or nothing is near.
        """
        ...

    def count(self) -> int:
        """The number of versions that a search sees."""
        ...

    def refresh(self) -> None:
        """See what another process has committed."""
        ...

    def close(self) -> None:
        """Finish background merges and release the files."""
        ...


@dataclass(frozen=True, slots=True)
class VectorMatches:
    """Nearest vectors, most similar first; equal scores stand in order of ordinal."""

    ordinals: tuple[Ordinal, ...]
    scores: tuple[float, ...]
    """Cosine similarities, -1 to 1."""
    plan: str


class VectorIndex(Protocol):
    """Nearest neighbours by cosine over unit vectors, under concurrent writes.

    A write is visible when the call returns. A search sees one state from begin to end.
    """

    def add(self, ordinals: Ordinals, vectors: Vectors) -> None:
        """Index these vectors ``(n, d)``; the ordinals are new and ascending."""
        ...

    def remove(self, ordinals: Iterable[Ordinal]) -> None:
        """Forget these vectors; unknown ones are no error."""
        ...

    def search(self, vector: Vectors, limit: int, allowed: Ordinals | None = None) -> VectorMatches:
        """The nearest to ``vector`` ``(d,)``, only among ``allowed`` (ascending) if given."""
        ...

    def search_many(self, vectors: Vectors, limit: int) -> list[VectorMatches]:
        """The nearest to each of ``vectors`` ``(n, d)``, exactly; for work done offline."""
        ...

    def similarities(self, vector: Vectors, ordinals: Sequence[Ordinal]) -> dict[Ordinal, float]:
        """The exact cosine of each of these versions that has a vector."""
        ...

    def advance(self, watermark: int) -> None:
        """Remember that everything up to that operation is in."""
        ...

    @property
    def watermark(self) -> int:
        """The last operation that is in; 0 for a new index."""
        ...

    @property
    def last_ordinal(self) -> Ordinal:
        """The highest ordinal that was ever added, 0 when there is none."""
        ...

    def vector(self, ordinal: Ordinal) -> Vectors | None:
        """The vector ``(d,)`` of that version."""
        ...

    def count(self) -> int:
        """The number of live vectors."""
        ...

    def describe(self) -> VectorStatus:
        """Kind, parameters and sizes, for status reports."""
        ...

    def due(self) -> Due | None:
        """What should be done for the index, if anything."""
        ...

    def fold(self) -> None:
        """Make the fresh vectors part of the index proper; searches and writes go on."""
        ...

    def rebuild(self, live: LiveVectors, probes: Sequence[Vectors]) -> Rebuilt:
        """Build anew from the vectors that are alive.

        Searches and writes go on. What finds less of the neighbours of the probes, arrays
        ``(n, d)`` of one kind of query each, than it must is not published.
        """
        ...

    def adopt(self) -> bool:
        """Take what another process has built; whether none is left to take."""
        ...


@dataclass(frozen=True, slots=True)
class VectorStatus:
    """The state of a vector index."""

    kind: str
    parameters: Mapping[str, int | str]
    sealed: int
    """Vectors in the index proper, dead ones included."""
    tail: int
    """Fresh vectors beside it, searched exactly."""
    tombstones: int
    """Dead vectors not yet removed."""
    dimension: int
    bytes: int
    """Memory that searches read."""
    predicted: int = 0
    """What was predicted of it for the index proper."""
    disk: int = 0
    inserted: int = 0
    """Vectors inserted since the index was built."""
    drift: Mapping[str, float] = field(default_factory=dict)
    """By what share it has moved from what it was trained for, measure by measure."""
    sealing: str = ""
    """The folder of the index proper."""
    trouble: str = ""
    """What was found damaged and is done without."""


Due = Literal["fold", "rebuild"]
"""What an index may need."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What became of a rebuild."""

    published: bool
    """Whether it serves; if not, the old one goes on serving."""
    kind: str
    parameters: Mapping[str, int | str]
    vectors: int
    recall: float
    """Recall@10 against exact search, on the probes of the kind that fares worst."""
    recall_before: float
    """The same of the index that served before."""
    bytes: int
    """Memory that searches read, measured."""
    predicted: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What identifies an embedding model."""

    name: str
    weights_sha256: str
    dimension: int
    context_length: int
    image_size: int
    languages: tuple[str, ...]
    precision: Literal["fp32", "bf16"] = "fp32"

    @property
    def key(self) -> str:
        """Names the space of its vectors: equal keys, comparable vectors.

        The precision is no part of it: bf16 is used only where its vectors lie at a cosine of at
        least .999 to those of fp32, far nearer than any two pictures that a search tells apart.
        """
        return f"{self.name}@{self.weights_sha256[:16]}/{self.dimension}"


class Embedder(Protocol):
    """Pictures and texts into one space. Safe to call from several threads."""

    @property
    def facts(self) -> ModelFacts:
        """What identifies the model."""
        ...

    @property
    def preparation(self) -> Preparation:
        """How a picture becomes what the model looks at."""
        ...

    def pixels(self, batch: Pixels) -> Vectors:
        """One unit row per prepared picture ``(n, h, w, 3)`` uint8, ``(n, d)`` float32."""
        ...

    def pictures(self, pictures: Sequence[Image.Image]) -> Vectors:
        """One unit row per RGB picture of any size, ``(n, d)`` float32."""
        ...

    def texts(self, texts: Sequence[str]) -> Vectors:
        """One unit row per text, ``(n, d)`` float32; what is beyond the context length is cut."""
        ...

    def queries(self, texts: Sequence[str]) -> Vectors:
        """The same for what people ask: in the prompts that help the model, where any do."""
        ...

    def token_count(self, text: str) -> int:
        """Tokens of the text, the cut ones and what the model adds included."""
        ...
