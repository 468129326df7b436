"""Indexes follow the catalog: each applies the operations it has not seen yet.

The same few lines bring in a fresh write, catch up after a crash, keep a reader beside a
writer, and build an index anew from nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np

from hybrid_search.core import Ordinal, StoredAsset
from hybrid_search.core.ports import Catalog, LexicalIndex, Operation, Subject, VectorIndex

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

    def reconcile(self) -> str:
        """What was put right for the index to hold what lives; empty when it did.

        To be asked when it is at the last operation, and nothing is written meanwhile.
        """
        held, living = self._index.ordinals(), self._catalog.live_ordinals()
        ghosts = np.setdiff1d(held, living, assume_unique=True).tolist()
        lost = np.setdiff1d(living, held, assume_unique=True).tolist()
        if not ghosts and not lost:
            return ""
        self._index.remove(ghosts)
        for start in range(0, len(lost), STEP):
            self._index.add(self._catalog.fetch(lost[start : start + STEP]).values())
        self._index.commit(self._index.watermark)
        return f"lexical: {len(ghosts)} dead versions taken out, {len(lost)} lacking ones put in"


class VectorFollower:
    """Keeps a vector index at the catalog's last operation; each process has its own."""

    def __init__(
        self, catalog: Catalog, index: VectorIndex, model: str, subject: Subject = "picture"
    ) -> None:
        """Bring in what came and went since the index was sealed, all at once."""
        self._catalog = catalog
        self._index = index
        self._model = model
        self._subject = subject
        self._guard = threading.Lock()
        with catalog.live_vectors(model, index.last_ordinal, subject) as live:
            for ordinals, vectors in live.portions:
                index.add(ordinals, vectors)
        for batch in _pending(catalog, index.watermark):
            index.remove(_dropped(batch))
        index.advance(live.sequence)

    def catch_up(self) -> None:
        """Apply what is pending; visible when the call returns."""
        with self._guard:
            for batch in _pending(self._catalog, self._index.watermark):
                self._add(_living(self._catalog, batch))
                self._index.remove(_dropped(batch))
                self._index.advance(batch[-1].sequence)

    def adopt(self) -> None:
        """Take an index that another process has built; first what it knows already."""
        if not self._index.adopt():
            self.catch_up()
            self._index.adopt()

    def _add(self, ordinals: list[Ordinal]) -> None:
        fresh = [ordinal for ordinal in ordinals if ordinal > self._index.last_ordinal]
        digests = self._catalog.digests(fresh, self._subject)
        known = self._catalog.embeddings(self._model, list(dict.fromkeys(digests.values())))
        rows = {o: known[digests[o]] for o in fresh if digests.get(o) in known}
        if rows:
            self._index.add(np.array([*rows], np.int64), np.stack([*rows.values()]))


def _pending(catalog: Catalog, after: int) -> Iterator[list[Operation]]:
    while batch := catalog.operations(after, STEP):
        yield batch
        after = batch[-1].sequence


def _living(catalog: Catalog, batch: list[Operation]) -> list[Ordinal]:
    """The versions added in the batch that are still live, in order."""
    return sorted(catalog.live([o.ordinal for o in batch if o.kind == "add"]))


def _added(catalog: Catalog, batch: list[Operation]) -> list[StoredAsset]:
    """The same, whole."""
    versions = catalog.fetch(_living(catalog, batch))
    return [versions[ordinal] for ordinal in sorted(versions)]


def _dropped(batch: list[Operation]) -> list[Ordinal]:
    return [operation.ordinal for operation in batch if operation.kind == "drop"]
