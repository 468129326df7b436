"""A segment: vectors that never change, in a folder of their own, mapped from disk.

The folder holds the ordinals, the exact rows (unless the index keeps them itself), the Faiss
index (unless exact rows are all there is) and a manifest with the size and hash of each file.
"""

from __future__ import annotations

import mmap
import os
import sys
import tokenize
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hybrid_search.core.errors import EngineFailure, IndexCorrupt
from hybrid_search.core.ports import Ordinals, Vectors
from hybrid_search.files.atomic_files import storing, sync
from hybrid_search.files.checksums import (
    Inventory,
    differences,
    from_json,
    read_facts,
    take,
    to_json,
    write_facts,
)
from hybrid_search.files.versioned_dirs import Hold
from hybrid_search.stores.embedded.vector import faiss_factory
from hybrid_search.stores.embedded.vector.exact_scan import Mask, Positions, faiss
from hybrid_search.stores.embedded.vector.index_spec import Layout

FORMAT = 2
_ORDINALS, _DELETED, _MANIFEST = "ordinals.npy", "dead.npy", "manifest.json"
_ROWS, _INDEX = "rows.npy", "index.faiss"
_NEGLIGIBLE = 0.01
"""Coding errors below this share of a unit vector's squared length do not count as drift."""
_SMALL = 64 << 20
"""A segment of fewer bytes is compared with its hashes whenever it is opened."""
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    RuntimeError,
    EOFError,
    SyntaxError,
    tokenize.TokenError,
)
"""What Faiss and numpy raise on damaged files."""
_DRIFT_ROWS = 4096
"""The number of rows on which a coding error is measured."""


@dataclass(frozen=True, slots=True)
class Health:
    """Measures of how far an index has moved from its training data."""

    trained: int
    """Vectors that it was trained from; the others were inserted later."""
    imbalance: float = 0.0
    """Imbalance of the lists when it was trained; 0 without lists."""
    error: float = 0.0
    """Mean squared coding error when it was trained; 0 for exact vectors."""
    imbalance_now: float = 0.0
    error_now: float = 0.0
    """The same measures for the vectors that were inserted last."""

    @property
    def drift(self) -> dict[str, float]:
        """Relative growth of each measure since the index was trained."""
        found = {}
        if self.imbalance:
            found["imbalance"] = max(0.0, self.imbalance_now / self.imbalance - 1.0)
        if self.error:
            grown = self.error_now - self.error
            found["coding_error"] = max(0.0, grown / max(self.error, _NEGLIGIBLE))
        return found


@dataclass(frozen=True, slots=True)
class Segment:
    """Immutable vectors by position, in ascending order of ordinal."""

    layout: Layout
    ordinals: Ordinals
    rows: Vectors
    """The exact vectors ``(n, d)`` float32, mapped from disk."""
    sequence: int
    """The last operation of the catalog that is included."""
    health: Health
    index: Any = None
    """The Faiss index; ``None`` where the exact rows are scanned."""
    folder: Path | None = None
    files: Inventory = field(default_factory=dict)
    deleted: Ordinals = field(default_factory=lambda: np.empty(0, np.int64))
    """The ordinals that were deleted when it was written, ascending."""
    hold: Hold | None = None
    """Keeps the folder from being removed."""

    def nearest(self, query: Vectors, limit: int, breadth: int, allowed: Mask | None) -> Positions:
        """Positions of the nearest by the index's own scores, best first.

        It returns ``limit`` times ``layout.rerank`` candidates, which are to be scored exactly.
        """
        wanted = limit * self.layout.rerank
        return faiss_factory.candidates(
            self.index,
            self.layout,
            query,
            wanted,
            breadth=max(breadth, self._least_breadth(wanted)),
            allowed=allowed,
        )

    def _least_breadth(self, wanted: int) -> int:
        """The least breadth for that many candidates.

        A graph returns no more than its breadth, and the last of them are inaccurate.
        """
        return 2 * wanted if self.layout.kind == "hnsw" else 0

    def touch(self) -> None:
        """Page in what searches read, so that the first search does not wait for the disk."""
        if self.index is not None:
            faiss_factory.touch(self.index, self.layout)

    @property
    def memory(self) -> int:
        """Bytes that searches read."""
        kept = {_ORDINALS, _INDEX} if self.index is not None else {_ORDINALS, _ROWS}
        return sum(facts.bytes for name, facts in self.files.items() if name in kept)


def empty_segment(dimension: int) -> Segment:
    """A segment without vectors, in no folder."""
    rows = np.empty((0, dimension), np.float32)
    return Segment(Layout("flat"), np.empty(0, np.int64), rows, 0, Health(0))


def room_for_rows(folder: Path, count: int, dimension: int) -> Vectors:
    """A new mapped file for exact rows ``(count, dimension)`` float32.

    Raises ``StorageFull`` if the disk has no room for it.
    """
    shape, path = (count, dimension), folder / _ROWS
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    if sys.platform != "darwin":
        with storing(path), path.open("r+b") as file:
            # Writing to a mapped page without room on the disk kills the process: reserve it.
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return rows


def write_new_segment(
    folder: Path, layout: Layout, ordinals: Ordinals, rows: Vectors, sequence: int
) -> None:
    """Train and write an index over ``rows``, which lie in ``room_for_rows`` of the folder."""
    if layout.kind == "flat" and layout.exact:
        return _write(folder, Segment(layout, ordinals, rows, sequence, Health(len(ordinals))))
    index = faiss_factory.build(layout, rows)
    sample = faiss_factory.training_rows(layout, rows)[:_DRIFT_ROWS]
    spread, error = _measures(index, layout, sample)
    health = Health(len(ordinals), spread, error, spread, error)
    return _write(folder, Segment(layout, ordinals, rows, sequence, health, index))


def write_grown_segment(
    folder: Path,
    segment: Segment,
    ordinals: Ordinals,
    rows: Vectors,
    sequence: int,
    *,
    deleted: Ordinals,
) -> None:
    """Write a segment with these rows inserted into the index of the given one.

    ``deleted`` ordinals of that one stay in it as tombstones.
    """
    # Read into memory: Faiss crashes the process when something is added to a mapped index.
    index = faiss.read_index(str(_folder_of(segment) / _INDEX))
    faiss_factory.grow(index, rows)
    together = np.concatenate([segment.ordinals, ordinals])
    if not _holds_rows(segment.layout):
        room = room_for_rows(folder, len(together), rows.shape[1])
        room[: len(segment.ordinals)] = segment.rows
        room[len(segment.ordinals) :] = rows
    health = segment.health
    if len(rows):
        spread, error = _measures(index, segment.layout, np.ascontiguousarray(rows[:_DRIFT_ROWS]))
        health = replace(health, imbalance_now=spread, error_now=error)
    _write(
        folder, Segment(segment.layout, together, rows, sequence, health, index, deleted=deleted)
    )


def _folder_of(segment: Segment) -> Path:
    if segment.folder is None:
        raise EngineFailure("vectors: an index that was never stored cannot be grown")
    return segment.folder


def _measures(index: Any, layout: Layout, rows: Vectors) -> tuple[float, float]:
    """Imbalance of the lists and coding error on these rows; 0 where a kind has none."""
    spread = faiss_factory.imbalance(index) if layout.nlist else 0.0
    coded = not layout.exact and layout.kind != "lsh"
    return spread, faiss_factory.coding_error(index, layout, rows) if coded else 0.0


def open_segment(folder: Path, hold: Hold | None = None, *, hashes: bool = False) -> Segment:
    """Map the segment in the folder; raises ``IndexCorrupt`` for files that have changed.

    Files are compared by size. Small segments, and with ``hashes`` all, are compared by hash.
    """
    try:
        facts = read_facts(folder / _MANIFEST)
        layout, health = Layout(**facts["layout"]), Health(**facts["health"])
        files = from_json(facts["files"])
        _check(folder, files, hashes=hashes)
        index = _open_index(folder) if _INDEX in files else None
        ordinals = np.asarray(np.load(folder / _ORDINALS, mmap_mode="r"))
        rows, deleted = _open_rows(folder, index, len(ordinals)), np.load(folder / _DELETED)
    except _UNREADABLE as failure:
        raise IndexCorrupt(
            f"vectors: {folder} is damaged, {failure}; run: hybrid-search repair"
        ) from failure
    return Segment(
        layout, ordinals, rows, facts["sequence"], health, index, folder, files, deleted, hold
    )


def _open_index(folder: Path) -> Any:
    return faiss.read_index(str(folder / _INDEX), faiss.IO_FLAG_MMAP_IFC)


def _open_rows(folder: Path, index: Any, count: int) -> Vectors:
    if not (folder / _ROWS).is_file():
        return faiss_factory.rows_within(index, count)
    mapped: Any = np.load(folder / _ROWS, mmap_mode="r")
    if index is not None and count:
        # Single rows are read: without this the system reads ahead of each.
        mapped._mmap.madvise(mmap.MADV_RANDOM)
    return np.asarray(mapped)


def _check(folder: Path, files: Inventory, *, hashes: bool) -> None:
    small = sum(facts.bytes for facts in files.values()) < _SMALL
    if damage := differences(folder, files, hashes=hashes or small):
        raise ValueError("; ".join(damage))


def _holds_rows(layout: Layout) -> bool:
    """Whether the index itself has the exact rows, so that no file of them is needed."""
    return layout.kind == "hnsw" and layout.exact


def _write(folder: Path, segment: Segment) -> None:
    """Write all files but the rows, the manifest last, and sync them."""
    with storing(folder):
        np.save(folder / _ORDINALS, segment.ordinals)
        np.save(folder / _DELETED, segment.deleted)
    if segment.index is not None:
        _write_index(folder / _INDEX, segment.index)
    if _holds_rows(segment.layout):
        (folder / _ROWS).unlink(missing_ok=True)
    for path in folder.iterdir():
        sync(path)
    facts = {
        "format": FORMAT,
        "layout": asdict(segment.layout),
        "sequence": segment.sequence,
        "health": asdict(segment.health),
        "files": to_json(take(folder, folder.iterdir())),
    }
    write_facts(folder / _MANIFEST, facts)


def write_layout(folder: Path, layout: Layout) -> None:
    """Change the search parameters of the segment in the folder."""
    facts = read_facts(folder / _MANIFEST) | {"layout": asdict(layout)}
    write_facts(folder / _MANIFEST, facts)


def _write_index(path: Path, index: Any) -> None:
    """Write through a Python file, which reports a full disk; Faiss's own writer does not."""
    with storing(path), path.open("wb") as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(file.write, 1 << 24))
