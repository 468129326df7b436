"""Nearest neighbours through Faiss: an immutable segment, an exact write buffer, tombstones.

Faiss crashes when one thread adds to an index that another thread searches. So an index that can
be searched never changes. New vectors go to the write buffer; a merge or a rebuild writes the next
segment into a folder of its own and maps it from there. A search takes one snapshot and keeps it.

Any process may write a segment, and any segment will do: vectors added since it was written go to
the write buffer, and vectors deleted since are tombstones.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np

from hybrid_search.core import Ordinal
from hybrid_search.core.errors import EngineFailure, StorageFull, is_full
from hybrid_search.core.ports import (
    Due,
    LiveVectors,
    Ordinals,
    Rebuilt,
    Reload,
    VectorMatches,
    Vectors,
    VectorStatus,
)
from hybrid_search.files.quarantine import Repairs
from hybrid_search.stores.embedded.vector.builder import build, merge
from hybrid_search.stores.embedded.vector.index_spec import Layout, VectorPlan, searched_as
from hybrid_search.stores.embedded.vector.recall_tuner import recall_of, tune
from hybrid_search.stores.embedded.vector.segment import (
    Segment,
    empty_segment,
    open_segment,
    write_layout,
)
from hybrid_search.stores.embedded.vector.segment_store import SegmentStore
from hybrid_search.stores.embedded.vector.snapshot import VectorSnapshot, search_snapshot

_MERGE_SHARE = 32
"""The write buffer is merged once it also has at least this fraction of the segment."""
_NOISE = 0.01
"""Tolerance of a measured recall: it comes from a sample."""


@contextmanager
def _translated() -> Iterator[None]:
    """Map Faiss's exceptions to this package's."""
    try:
        yield
    except (RuntimeError, AssertionError, MemoryError, OSError) as failure:
        if is_full(failure):
            raise StorageFull("vectors: no space left; free some and try again") from failure
        raise EngineFailure(f"faiss: {failure}") from failure


class FaissIndex:
    """A ``VectorIndex`` over one folder; any process may publish a segment there."""

    def __init__(
        self,
        dimension: int,
        folder: Path,
        plan: VectorPlan | None = None,
        *,
        checked: bool = False,
        repairs: Repairs | None = None,
    ) -> None:
        """Open the newest segment; ``add`` and ``remove`` bring in what came since.

        With ``checked``, every file is compared with its hash. A damaged segment is not opened.
        With ``repairs`` it is moved away and the one before it opens; the vectors that are then
        missing have to be added.
        """
        self._dimension = dimension
        self._plan = plan or VectorPlan()
        self._segments = SegmentStore(folder)
        self._writing = threading.Lock()
        self._rejected_over: Path | None = None
        segment = self._segments.first(repairs, hashes=checked) or empty_segment(dimension)
        self._snapshot = VectorSnapshot.of(self._configured(segment))

    # ------------------------------------------------------------------------------ writes

    def add(self, ordinals: Ordinals, vectors: Vectors) -> None:
        if vectors.shape != (len(ordinals), self._dimension):
            raise EngineFailure(
                f"vectors of shape {vectors.shape} for {len(ordinals)} ordinals,"
                f" the index has {self._dimension} dimensions"
            )
        if not len(ordinals):
            return
        with self._writing:
            last = self._snapshot.last
            if not _ascend(last, ordinals):
                raise EngineFailure(f"ordinals must rise above {last}, the last one")
            buffer = self._snapshot.buffer.with_more(ordinals, vectors)
            self._snapshot = replace(self._snapshot, buffer=buffer, last=Ordinal(int(ordinals[-1])))

    def remove(self, ordinals: Iterable[Ordinal]) -> None:
        removed = np.array(sorted(set(ordinals)), np.int64)
        if len(removed):
            with self._writing:
                self._snapshot = self._snapshot.without(removed)

    def advance(self, watermark: int) -> None:
        with self._writing:
            self._snapshot = replace(self._snapshot, watermark=watermark)

    # ------------------------------------------------------------------------------- reads

    def snapshot(self) -> FaissIndex:
        # All that reads look at is one immutable object, which a write replaces.
        return copy(self)

    def search(self, vector: Vectors, limit: int, allowed: Ordinals | None = None) -> VectorMatches:
        query = self._checked(vector)
        with _translated():
            return search_snapshot(self._snapshot, query, limit, allowed, self._plan.exact_below)

    def similarities(self, vector: Vectors, ordinals: Sequence[Ordinal]) -> dict[Ordinal, float]:
        snapshot, query = self._snapshot, self._checked(vector)
        rows = {ordinal: snapshot.row(ordinal) for ordinal in ordinals}
        return {o: float(row @ query) for o, row in rows.items() if row is not None}

    @property
    def watermark(self) -> int:
        return self._snapshot.watermark

    @property
    def last_ordinal(self) -> Ordinal:
        return self._snapshot.last

    def vector(self, ordinal: Ordinal) -> Vectors | None:
        row = self._snapshot.row(ordinal)
        return None if row is None else row.copy()

    def holds(self, ordinals: Sequence[Ordinal]) -> set[Ordinal]:
        return self._snapshot.holds(np.array(sorted(ordinals), np.int64))

    def sample(self, limit: int) -> Vectors:
        return self._snapshot.sample(limit)

    def ordinals(self) -> Ordinals:
        return self._snapshot.ordinals()

    def count(self) -> int:
        return self._snapshot.count

    def describe(self) -> VectorStatus:
        snapshot, segment = self._snapshot, self._snapshot.view.segment
        return VectorStatus(
            kind=segment.layout.kind,
            parameters=segment.layout.parameters,
            segment=len(segment.ordinals),
            write_buffer=len(snapshot.buffer.ordinals),
            tombstones=snapshot.tombstones,
            inserted=len(segment.ordinals) - segment.health.trained,
            drift=segment.health.drift,
            dimension=self._dimension,
            bytes=segment.memory + snapshot.buffer.rows.nbytes,
            predicted=segment.layout.bytes_for(len(segment.ordinals), self._dimension),
            disk=sum(facts.bytes for facts in segment.files.values()),
            segment_folder="" if segment.folder is None else segment.folder.name,
            trouble=self._segments.trouble,
        )

    # ------------------------------------------------------------------------- maintenance

    def due(self) -> Due | None:
        snapshot, plan, segment = self._snapshot, self._plan, self._snapshot.view.segment
        total = len(segment.ordinals)
        deleted = total - snapshot.view.count
        decayed = deleted > plan.rebuild_tombstones * total and deleted > plan.fold_after // 4
        drifted = max(segment.health.drift.values(), default=0.0) > plan.rebuild_drift
        if (decayed or drifted) and segment.folder != self._rejected_over:
            return "rebuild"
        waiting = len(snapshot.buffer.ordinals)
        return "merge" if waiting > plan.fold_after and waiting * _MERGE_SHARE >= total else None

    def merge(self) -> None:
        with self._building() as folder:
            merge(folder, self._snapshot, self._plan)
            self._publish(folder)

    def rebuild(self, live: LiveVectors, probes: Sequence[Vectors]) -> Rebuilt:
        """Also choose the breadth of search: the narrowest that reaches the plan's recall.

        The segment is published if its recall is at least the plan's minimum and, for the same
        kind of index, that of the segment that serves.
        """
        started = time.monotonic()
        with self._building() as folder:
            count = build(folder, live, self._plan, self._dimension)
            segment, after = tune(self._configured(open_segment(folder)), probes, self._plan)
            write_layout(folder, segment.layout)
            serving = self._snapshot.view.segment
            before = recall_of(self._snapshot, probes, self._plan.exact_below)
            published = after >= self._recall_needed(before, segment.layout, serving.layout)
            if published:
                self._publish(folder)
            else:
                self._rejected_over = serving.folder
        return Rebuilt(
            published=published,
            kind=segment.layout.name,
            parameters=segment.layout.parameters,
            vectors=count,
            recall=after,
            recall_before=before,
            bytes=segment.memory,
            predicted=segment.layout.bytes_for(count, self._dimension),
            seconds=time.monotonic() - started,
        )

    def reload(self) -> Reload:
        if not self._segments.has_other_than(self._snapshot.view.segment.folder):
            return Reload.UNCHANGED
        segment = self._segments.newest()
        if segment is None:
            return Reload.UNCHANGED
        return Reload.OPENED if self._switch_to(segment) else Reload.AHEAD

    # -------------------------------------------------------------------------- internals

    def _checked(self, vector: Vectors) -> Vectors:
        if vector.shape != (self._dimension,):
            raise EngineFailure(f"vector of shape {vector.shape}, the index has {self._dimension}")
        return np.ascontiguousarray(vector, np.float32)

    @contextmanager
    def _building(self) -> Iterator[Path]:
        with self._segments.writing() as folder, _translated():
            yield folder

    def _configured(self, segment: Segment) -> Segment:
        """The segment with the search parameters of the settings."""
        return replace(segment, layout=searched_as(self._plan, segment.layout))

    def _publish(self, folder: Path) -> None:
        self._switch_to(self._segments.publish(folder))

    def _switch_to(self, segment: Segment) -> bool:
        """Whether the segment serves now: one that knows later operations than this index waits."""
        if segment.sequence > self._snapshot.watermark:
            return False
        segment.touch()
        with self._writing:
            self._snapshot = self._snapshot.over(self._configured(segment))
        return True

    def _recall_needed(self, before: float, layout: Layout, serving: Layout) -> float:
        """The recall with which a rebuilt segment is published."""
        same = (layout.kind, layout.storage) == (serving.kind, serving.storage)
        return max(before if same else 0.0, self._plan.min_recall) - _NOISE


def _ascend(last: Ordinal, ordinals: Ordinals) -> bool:
    return bool(ordinals[0] > last and np.all(np.diff(ordinals) > 0))
