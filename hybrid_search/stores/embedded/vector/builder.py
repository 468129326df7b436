"""Write the next segment into a new folder: by a merge of the write buffer, or from the catalog."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hybrid_search.core.ports import LiveVectors, Ordinals, Vectors
from hybrid_search.stores.embedded.vector.exact_scan import faiss
from hybrid_search.stores.embedded.vector.index_spec import VectorPlan, layout_for
from hybrid_search.stores.embedded.vector.segment import (
    room_for_rows,
    write_grown_segment,
    write_new_segment,
)
from hybrid_search.stores.embedded.vector.snapshot import VectorSnapshot

_GROWN_SHARE = 2
"""Up to this fraction of the segment is inserted into it; with more, a new index is trained."""
_PARALLEL = 20_000
"""From this many vectors several threads build; with fewer they mostly wait for each other."""


def merge(folder: Path, snapshot: VectorSnapshot, plan: VectorPlan) -> None:
    """Write a segment with the live vectors of the snapshot.

    Those of the write buffer are inserted into a copy of the segment. If the segment is exact or
    small beside the buffer, a new index is built instead.
    """
    segment, fresh = snapshot.view.segment, snapshot.buffer.live
    faiss.omp_set_num_threads(plan.build_threads if fresh.sum() >= _PARALLEL else 1)
    if segment.index is None or int(fresh.sum()) * _GROWN_SHARE > len(segment.ordinals):
        ordinals, rows = snapshot.live_vectors()
        room = room_for_rows(folder, *rows.shape)
        room[:] = rows
        _write(folder, ordinals, room, snapshot.watermark, plan)
    else:
        ordinals, rows = snapshot.buffer.ordinals[fresh], snapshot.buffer.rows[fresh]
        deleted = segment.ordinals[~snapshot.view.live]
        write_grown_segment(folder, segment, ordinals, rows, snapshot.watermark, deleted=deleted)


def build(folder: Path, live: LiveVectors, plan: VectorPlan, dimension: int) -> int:
    """Write a newly trained segment of the live vectors; returns their number."""
    rows = room_for_rows(folder, live.count, dimension)
    ordinals = np.empty(live.count, np.int64)
    used = 0
    for some, part in live.portions:
        ordinals[used : used + len(some)], rows[used : used + len(some)] = some, part
        used += len(some)
    _write(folder, ordinals, rows, live.sequence, plan)
    return live.count


def _write(
    folder: Path, ordinals: Ordinals, rows: Vectors, watermark: int, plan: VectorPlan
) -> None:
    layout = layout_for(plan, *rows.shape)
    faiss.omp_set_num_threads(plan.build_threads if len(rows) >= _PARALLEL else 1)
    write_new_segment(folder, layout, ordinals, rows, watermark)
