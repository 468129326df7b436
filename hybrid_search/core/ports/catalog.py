"""The store of record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from hybrid_search.core import (
    Asset,
    AssetId,
    Digest,
    Ordinal,
    PictureFacts,
    StoredAsset,
)
from hybrid_search.core.arrays import NEWEST, Ordinals, Vectors


@dataclass(frozen=True, slots=True)
class TextKey:
    """Identifies the searched text of an asset."""

    fields: str
    """The searched fields, as in the key of text vectors: ``copy`` or ``copy(+slogan)``."""
    digest: Digest
    """Hash of the text in these fields."""


def searched_fields(model: str) -> str:
    """The part of the key of text vectors that names the searched fields.

    >>> searched_fields("copy(+slogan):clip@0/512")
    'copy(+slogan)'
    """
    return model.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked asset that is ready to be stored."""

    asset: Asset
    picture: PictureFacts | None
    content: Digest
    """Hash of the record and the picture: equal content changes nothing."""
    text: TextKey | None = None
    """The key of its text vector; ``None`` for the content hash."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One entry of the catalog's log."""

    sequence: int
    """Rises from 1, never reused."""
    kind: Literal["add", "drop"]
    ordinal: Ordinal


Subject = Literal["picture", "copy"]
"""What of an asset is embedded: its picture or its text (``copy``).

A vector is keyed by model and digest. The digest of a picture is the hash of its bytes. That of a
text is ``Draft.text``, so a new price keeps the vector. Versions that were stored without one, or
while other fields were searched, have the content hash: it identifies the text in any fields.
"""


@dataclass(frozen=True, slots=True)
class LiveVectors:
    """Live vectors in ascending order of ordinal, read in portions."""

    sequence: int
    """The last operation of the catalog in this version."""
    count: int
    portions: Iterable[tuple[Ordinals, Vectors]]
    """Ordinals ``(n,)`` with vectors ``(n, d)`` float32; can be read once."""


class Catalog(Protocol):
    """The store of record. Every other store can be rebuilt from it.

    A write is durable when the call returns. Reads see the last committed write.
    """

    def contents(self, ids: Sequence[AssetId]) -> dict[AssetId, Digest]:
        """The content hash of each live id."""
        ...

    def put(self, drafts: Sequence[Draft]) -> list[Ordinal]:
        """Store the drafts in one transaction; returns their new ordinals, in order.

        Earlier versions of the same ids are deleted.
        """
        ...

    def delete(self, ids: Sequence[AssetId]) -> list[AssetId]:
        """Delete the assets in one transaction; returns the ids that were live."""
        ...

    def live(self, ordinals: Sequence[Ordinal]) -> set[Ordinal]:
        """Those of the ordinals that are live."""
        ...

    def fetch(self, ordinals: Sequence[Ordinal]) -> dict[Ordinal, StoredAsset]:
        """The versions with these ordinals, also deleted ones; unknown ordinals are left out."""
        ...

    def find(self, asset_id: AssetId) -> StoredAsset | None:
        """The live version of the asset; ``None`` without one."""
        ...

    def versions(self, asset_id: AssetId, limit: int) -> list[StoredAsset]:
        """Up to ``limit`` versions of the asset, also deleted ones, newest first."""
        ...

    def newest(self, limit: int, before: Ordinal | None = None) -> list[Ordinal]:
        """Up to ``limit`` live ordinals, descending, below ``before`` if given."""
        ...

    def operations(self, after: int, limit: int) -> list[Operation]:
        """Up to ``limit`` operations after that sequence number, in order."""
        ...

    def last_sequence(self) -> int:
        """The sequence number of the last operation; 0 without any."""
        ...

    def count(self) -> int:
        """The number of live assets."""
        ...

    def store_embeddings(self, model: str, vectors: Mapping[Digest, Vectors]) -> None:
        """Store a vector ``(d,)`` float32 per digest and model; an existing one is kept."""
        ...

    def embeddings(self, model: str, digests: Sequence[Digest]) -> dict[Digest, Vectors]:
        """The stored vectors ``(d,)`` of these digests; unknown ones are left out.

        Raises ``IndexCorrupt`` for a damaged vector.
        """
        ...

    def digests(
        self, ordinals: Sequence[Ordinal], model: str, subject: Subject
    ) -> dict[Ordinal, Digest]:
        """The digest of the subject's vector by that model for each version, also deleted ones.

        Versions without a picture have no digest of it. Unknown ordinals are left out.
        """
        ...

    def live_vectors(
        self,
        model: str,
        above: Ordinal,
        subject: Subject = "picture",
        upto: Ordinal = NEWEST,
    ) -> AbstractContextManager[LiveVectors]:
        """The vectors of live versions with ``above < ordinal <= upto``, in one version.

        Writes go on while they are read. Reading raises ``IndexCorrupt`` for a damaged vector.
        """
        ...

    def live_ordinals(self) -> Ordinals:
        """All live ordinals ``(n,)``, ascending."""
        ...

    def vector_ordinals(self, model: str, subject: Subject = "picture") -> Ordinals:
        """The live ordinals ``(n,)`` that have a vector of that model, ascending."""
        ...

    def embedded(self, model: str, digests: Sequence[Digest]) -> dict[Digest, PictureFacts]:
        """The facts of those pictures that are stored and have a vector of that model."""
        ...

    def unembedded(self, model: str, subject: Subject = "picture") -> dict[Digest, Ordinal]:
        """Digests of live versions without a vector of that model, each with one such version.

        For text, versions without any text are among them.
        """
        ...

    def close(self) -> None:
        """Release the files."""
        ...
