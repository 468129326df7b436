"""Indexes follow the catalog: each applies the operations it has not seen yet.

The same few lines bring in a fresh write, catch up after a crash, keep a reader beside a
writer, and build an index anew from nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np

from hybrid_search.ports import Catalog, LexicalIndex, Operation, VectorIndex
from hybrid_search.records import Digest, Ordinal, StoredAsset

STEP = 1000
"""Operations applied together: bounds memory and the size of a lexical commit."""


class LexicalFollower:
    """Keeps a lexical index at the catalog's last operation; this side writes it."""

    def __init__(self, catalog: Catalog, index: LexicalIndex) -> None:
        self._catalog = catalog
        self._index = index

    def catch_up(self) -> None:
        """Apply what is pending, durably, ``STEP`` operations a commit."""
        for batch in _pending(self._catalog, self._index.watermark):
            self._index.remove(_dropped(batch))
            self._index.add(_added(self._catalog, batch))
            self._index.commit(batch[-1].sequence)


class VectorFollower:
    """Keeps a vector index at the catalog's last operation; each process has its own."""

    def __init__(self, catalog: Catalog, index: VectorIndex, model: str) -> None:
        """Bring in what came and went since the index was sealed, all at once."""
        self._catalog = catalog
        self._index = index
        self._model = model
        self._guard = threading.Lock()
        with catalog.live_vectors(model, index.last_ordinal) as live:
            for ordinals, vectors in live.portions:
                index.add(ordinals, vectors)
        for batch in _pending(catalog, index.watermark):
            index.remove(_dropped(batch))
        index.advance(live.sequence)

    def catch_up(self) -> None:
        """Apply what is pending; visible when the call returns."""
        with self._guard:
            for batch in _pending(self._catalog, self._index.watermark):
                self._add(_added(self._catalog, batch))
                self._index.remove(_dropped(batch))
                self._index.advance(batch[-1].sequence)

    def adopt(self) -> None:
        """Take an index that another process has built; first what it knows already."""
        if not self._index.adopt():
            self.catch_up()
            self._index.adopt()

    def _add(self, versions: list[StoredAsset]) -> None:
        pictured = {v.ordinal: v.picture.digest for v in versions if v.picture is not None}
        fresh = {o: d for o, d in pictured.items() if o > self._index.last_ordinal}
        known = self._catalog.embeddings(self._model, list(dict.fromkeys(fresh.values())))
        rows: list[tuple[Ordinal, Digest]] = [(o, d) for o, d in fresh.items() if d in known]
        if rows:
            ordinals = np.array([ordinal for ordinal, _ in rows], np.int64)
            self._index.add(ordinals, np.stack([known[digest] for _, digest in rows]))


def _pending(catalog: Catalog, after: int) -> Iterator[list[Operation]]:
    while batch := catalog.operations(after, STEP):
        yield batch
        after = batch[-1].sequence


def _added(catalog: Catalog, batch: list[Operation]) -> list[StoredAsset]:
    """The versions added in the batch that are still live, in order of ordinal."""
    ordinals = [operation.ordinal for operation in batch if operation.kind == "add"]
    live = catalog.live(ordinals)
    versions = catalog.fetch([ordinal for ordinal in ordinals if ordinal in live])
    return [versions[ordinal] for ordinal in sorted(versions)]


def _dropped(batch: list[Operation]) -> list[Ordinal]:
    return [operation.ordinal for operation in batch if operation.kind == "drop"]
