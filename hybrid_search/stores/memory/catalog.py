"""A catalog in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from hybrid_search.core import AssetId, Digest, Ordinal, PictureFacts, StoredAsset
from hybrid_search.core.asset_codec import decode_asset, encode_asset
from hybrid_search.core.ports import (
    NEWEST,
    Draft,
    LiveVectors,
    Operation,
    Ordinals,
    Subject,
    TextKey,
    Vectors,
    searched_fields,
)


class MemoryCatalog:
    """A ``Catalog`` in dictionaries."""

    def __init__(self) -> None:
        self._guard = threading.RLock()
        self._versions: dict[Ordinal, StoredAsset] = {}
        self._contents: dict[Ordinal, Digest] = {}
        self._texts: dict[Ordinal, TextKey] = {}
        self._live: dict[AssetId, Ordinal] = {}
        self._history: list[Operation] = []
        self._vectors: dict[tuple[str, Digest], Vectors] = {}

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def contents(self, ids: Sequence[AssetId]) -> dict[AssetId, Digest]:
        with self._guard:
            return {name: self._contents[self._live[name]] for name in ids if name in self._live}

    def put(self, drafts: Sequence[Draft]) -> list[Ordinal]:
        # Fails here for what cannot be stored, before anything has changed.
        assets = [decode_asset(encode_asset(draft.asset)) for draft in drafts]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        ordinals = []
        with self._guard:
            for draft, asset in zip(drafts, assets, strict=True):
                ordinal = Ordinal(len(self._versions) + 1)
                self._retire(asset.id)
                self._versions[ordinal] = StoredAsset(ordinal, asset, draft.picture, now)
                self._contents[ordinal] = draft.content
                if draft.text is not None:
                    self._texts[ordinal] = draft.text
                self._live[asset.id] = ordinal
                self._log("add", ordinal)
                ordinals.append(ordinal)
        return ordinals

    def delete(self, ids: Sequence[AssetId]) -> list[AssetId]:
        with self._guard:
            return [name for name in ids if self._retire(name)]

    def live(self, ordinals: Sequence[Ordinal]) -> set[Ordinal]:
        with self._guard:
            return self._live_ordinals() & set(ordinals)

    def fetch(self, ordinals: Sequence[Ordinal]) -> dict[Ordinal, StoredAsset]:
        with self._guard:
            return {o: self._versions[o] for o in ordinals if o in self._versions}

    def find(self, asset_id: AssetId) -> StoredAsset | None:
        with self._guard:
            known = self._live.get(asset_id)
            return None if known is None else self._versions[known]

    def versions(self, asset_id: AssetId, limit: int) -> list[StoredAsset]:
        with self._guard:
            known = [one for one in self._versions.values() if one.asset.id == asset_id]
        return known[::-1][:limit]

    def newest(self, limit: int, before: Ordinal | None = None) -> list[Ordinal]:
        with self._guard:
            falling = sorted(self._live_ordinals(), reverse=True)
        return [ordinal for ordinal in falling if before is None or ordinal < before][:limit]

    def operations(self, after: int, limit: int) -> list[Operation]:
        with self._guard:
            return self._history[after : after + limit]

    def last_sequence(self) -> int:
        with self._guard:
            return len(self._history)

    def count(self) -> int:
        with self._guard:
            return len(self._live)

    def store_embeddings(self, model: str, vectors: Mapping[Digest, Vectors]) -> None:
        with self._guard:
            for digest, vector in vectors.items():
                self._vectors.setdefault((model, digest), vector.astype(np.float32))

    def embeddings(self, model: str, digests: Sequence[Digest]) -> dict[Digest, Vectors]:
        with self._guard:
            return {d: self._vectors[model, d] for d in digests if (model, d) in self._vectors}

    def digests(
        self, ordinals: Sequence[Ordinal], model: str, subject: Subject
    ) -> dict[Ordinal, Digest]:
        with self._guard:
            known = {o: self._versions[o].picture for o in ordinals if o in self._versions}
            if subject == "copy":
                return {ordinal: self._text_digest(ordinal, model) for ordinal in known}
            return {o: picture.digest for o, picture in known.items() if picture is not None}

    @contextmanager
    def live_vectors(
        self,
        model: str,
        above: Ordinal,
        subject: Subject = "picture",
        upto: Ordinal = NEWEST,
    ) -> Iterator[LiveVectors]:
        with self._guard:
            among = [
                ordinal for ordinal in sorted(self._live_ordinals()) if above < ordinal <= upto
            ]
            rows = [
                (ordinal, self._vectors[model, digest])
                for ordinal, digest in self.digests(among, model, subject).items()
                if (model, digest) in self._vectors
            ]
            sequence = len(self._history)
        portions = [(np.array([ordinal], np.int64), vector[None]) for ordinal, vector in rows]
        yield LiveVectors(sequence, len(rows), portions)

    def live_ordinals(self) -> Ordinals:
        with self._guard:
            return np.array(sorted(self._live_ordinals()), np.int64)

    def vector_ordinals(self, model: str, subject: Subject = "picture") -> Ordinals:
        with self._guard:
            digests = self.digests(sorted(self._live_ordinals()), model, subject)
            held = [o for o, digest in digests.items() if (model, digest) in self._vectors]
            return np.array(held, np.int64)

    def embedded(self, model: str, digests: Sequence[Digest]) -> dict[Digest, PictureFacts]:
        with self._guard:
            shown = [version.picture for version in self._versions.values()]
            facts = {picture.digest: picture for picture in shown if picture is not None}
            stored = [digest for digest in digests if digest in facts]
            return {d: facts[d] for d in stored if (model, d) in self._vectors}

    def unembedded(self, model: str, subject: Subject = "picture") -> dict[Digest, Ordinal]:
        with self._guard:
            falling = sorted(self._live_ordinals(), reverse=True)
            found = {d: o for o, d in self.digests(falling, model, subject).items()}
            return {d: o for d, o in found.items() if (model, d) not in self._vectors}

    def _text_digest(self, ordinal: Ordinal, model: str) -> Digest:
        text = self._texts.get(ordinal)
        known = text is not None and text.fields == searched_fields(model)
        return text.digest if text is not None and known else self._contents[ordinal]

    def _live_ordinals(self) -> set[Ordinal]:
        return set(self._live.values())

    def _retire(self, asset_id: AssetId) -> bool:
        known = self._live.pop(asset_id, None)
        if known is not None:
            self._log("drop", known)
        return known is not None

    def _log(self, kind: Literal["add", "drop"], ordinal: Ordinal) -> None:
        self._history.append(Operation(len(self._history) + 1, kind, ordinal))
