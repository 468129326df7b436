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
    """One step of the catalog's history."""

    sequence: int
    """From 1 upwards, without reuse."""
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

    def versions(self, asset_id: AssetId, limit: int) -> list[StoredAsset]:
        """Every version that was stored under the id, dead ones included, newest first."""
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
        """The vectors of the living with ordinals in that range, as of one moment.

        Writes go on while they are read.
        """
        ...

    def live_ordinals(self) -> Ordinals:
        """All live ordinals, ascending."""
        ...

    def vector_ordinals(self, model: str, subject: Subject = "picture") -> Ordinals:
        """The live ordinals that have a vector of that model, ascending."""
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
