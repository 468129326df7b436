"""Log replay: an index applies the catalog's operations that it has not applied yet.

The same code indexes a new write, catches up after a crash, keeps a reader current beside a
writer, and builds an index from nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np

from hybrid_search.core import Ordinal, StoredAsset
from hybrid_search.core.ports import (
    Catalog,
    LexicalIndex,
    Operation,
    Reload,
    Subject,
    VectorIndex,
)

STEP = 1000
"""Operations applied together; it bounds memory and the size of a lexical commit."""


class LexicalReplay:
    """Applies the catalog's operations to a lexical index, in the process that writes it."""

    def __init__(self, catalog: Catalog, index: LexicalIndex) -> None:
        self._catalog = catalog
        self._index = index

    def catch_up(self) -> None:
        """Apply all pending operations durably, ``STEP`` a commit."""
        for batch in _pending(self._catalog, self._index.snapshot().watermark):
            self._index.remove(_dropped(batch))
            self._index.add(_added(self._catalog, batch))
            self._index.commit(batch[-1].sequence)

    def reconcile(self) -> str:
        """Make the index hold exactly the live versions; returns what was changed, or "".

        Call it after ``catch_up``, while nothing is written.
        """
        held, live = self._index.snapshot().ordinals(), self._catalog.live_ordinals()
        deleted = np.setdiff1d(held, live, assume_unique=True).tolist()
        missing = np.setdiff1d(live, held, assume_unique=True).tolist()
        if not deleted and not missing:
            return ""
        self._index.remove(deleted)
        for start in range(0, len(missing), STEP):
            self._index.add(self._catalog.fetch(missing[start : start + STEP]).values())
        self._index.commit(self._index.snapshot().watermark)
        return f"lexical: removed {len(deleted)} deleted versions, added {len(missing)} missing"


class VectorReplay:
    """Applies the catalog's operations to a vector index; every process replays its own."""

    def __init__(
        self, catalog: Catalog, index: VectorIndex, model: str, subject: Subject = "picture"
    ) -> None:
        """``model`` is the key of the vectors in the catalog."""
        self._catalog = catalog
        self._index = index
        self._model = model
        self._subject = subject
        self._guard = threading.Lock()

    @property
    def watermark(self) -> int:
        """The last operation that is in the index."""
        return self._index.watermark

    def load(self) -> None:
        """Apply everything since the segment was written, in bulk; call it once after opening."""
        with self._guard:
            last = self._index.last_ordinal
            with self._catalog.live_vectors(self._model, last, self._subject) as live:
                for ordinals, vectors in live.portions:
                    self._index.add(ordinals, vectors)
            for batch in _pending(self._catalog, self._index.watermark):
                self._index.remove(_dropped(batch))
            self._index.advance(live.sequence)

    def catch_up(self) -> None:
        """Apply all pending operations; visible when the call returns."""
        with self._guard:
            for batch in _pending(self._catalog, self._index.watermark):
                self._add(_live(self._catalog, batch))
                self._index.remove(_dropped(batch))
                self._index.advance(batch[-1].sequence)

    def reload(self) -> None:
        """Open the newest segment, after applying the operations that it has already."""
        if self._index.reload() is Reload.AHEAD:
            self.catch_up()
            self._index.reload()

    def _add(self, ordinals: list[Ordinal]) -> None:
        fresh = [ordinal for ordinal in ordinals if ordinal > self._index.last_ordinal]
        digests = self._catalog.digests(fresh, self._model, self._subject)
        known = self._catalog.embeddings(self._model, list(dict.fromkeys(digests.values())))
        rows = {o: known[digests[o]] for o in fresh if digests.get(o) in known}
        if rows:
            self._index.add(np.array([*rows], np.int64), np.stack([*rows.values()]))


def _pending(catalog: Catalog, after: int) -> Iterator[list[Operation]]:
    while batch := catalog.operations(after, STEP):
        yield batch
        after = batch[-1].sequence


def _live(catalog: Catalog, batch: list[Operation]) -> list[Ordinal]:
    """The versions added in the batch that are still live, ascending."""
    return sorted(catalog.live([o.ordinal for o in batch if o.kind == "add"]))


def _added(catalog: Catalog, batch: list[Operation]) -> list[StoredAsset]:
    versions = catalog.fetch(_live(catalog, batch))
    return [versions[ordinal] for ordinal in sorted(versions)]


def _dropped(batch: list[Operation]) -> list[Ordinal]:
    return [operation.ordinal for operation in batch if operation.kind == "drop"]
