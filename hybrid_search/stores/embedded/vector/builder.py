"""The next sealed index, written into a folder aside: from what is there, or from the catalog."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hybrid_search.core.ports import LiveVectors, Ordinals, Vectors
from hybrid_search.stores.embedded.vector.exact_scan import faiss
from hybrid_search.stores.embedded.vector.index_spec import VectorPlan, layout_for
from hybrid_search.stores.embedded.vector.segment import room_for_rows, write_built, write_grown
from hybrid_search.stores.embedded.vector.snapshot import State

_GROWN_SHARE = 2
"""Up to this fraction of the sealed index is inserted; more is reason to train anew."""
_SHARED = 20_000
"""Vectors from which on several threads build: with fewer they mostly wait for each other."""


def fold(folder: Path, state: State, plan: VectorPlan) -> None:
    """Seal what the state holds: the tail is inserted, or all is built where little can grow."""
    sealed, fresh = state.view.sealed, state.tail.alive
    faiss.omp_set_num_threads(plan.build_threads if fresh.sum() >= _SHARED else 1)
    if sealed.index is None or int(fresh.sum()) * _GROWN_SHARE > len(sealed.ordinals):
        ordinals, rows = state.live()
        room = room_for_rows(folder, *rows.shape)
        room[:] = rows
        _write(folder, ordinals, room, state.watermark, plan)
    else:
        ordinals, rows = state.tail.ordinals[fresh], state.tail.rows[fresh]
        dead = sealed.ordinals[~state.view.alive]
        write_grown(folder, sealed, ordinals, rows, state.watermark, dead=dead)


def build(folder: Path, live: LiveVectors, plan: VectorPlan, dimension: int) -> int:
    """Train and build anew from the living vectors; how many there are."""
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
    faiss.omp_set_num_threads(plan.build_threads if len(rows) >= _SHARED else 1)
    write_built(folder, layout, ordinals, rows, watermark)
