"""Unit vectors and ordinals for tests of vector indexes."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from hybrid_search.core import Ordinal
from hybrid_search.core.ports import LiveVectors, Ordinals, Rebuilt, VectorIndex, Vectors

WIDTH = 8


def units(count: int, seed: int = 0, width: int = WIDTH) -> Vectors:
    rows = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    lengths: Vectors = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / lengths


def span(first: int, behind: int) -> Ordinals:
    return np.arange(first, behind, dtype=np.int64)


def gathered(*ordinals: int) -> list[Ordinal]:
    return [Ordinal(ordinal) for ordinal in ordinals]


def fill(index: VectorIndex, rows: Vectors, step: int = 7) -> None:
    """Add row n under ordinal n + 1, a few at a time."""
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        index.add(span(start + 1, start + 1 + len(part)), part)
        tend(index)


def tend(index: VectorIndex) -> None:
    """Do the maintenance that is due."""
    if index.due() == "merge":
        index.merge()


def rebuilt_from(
    index: VectorIndex,
    rows: Vectors,
    alive: set[int],
    meanwhile: Callable[[], None] = lambda: None,
    probes: Sequence[Vectors] | None = None,
) -> Rebuilt:
    """Rebuild from the live rows; row n has ordinal n + 1."""
    ordinals = np.array(sorted(alive), np.int64)
    watermark = index.watermark

    def portions() -> Iterator[tuple[Ordinals, Vectors]]:
        for start in range(0, len(ordinals), 30):
            part = ordinals[start : start + 30]
            yield part, rows[part - 1]
        meanwhile()

    live = LiveVectors(watermark, len(ordinals), portions())
    return index.rebuild(live, [rows[:20]] if probes is None else probes)


def nearest(rows: Vectors, query: Vectors, limit: int, among: set[int]) -> list[int]:
    order = sorted(among, key=lambda ordinal: (-float(rows[ordinal - 1] @ query), ordinal))
    return order[:limit]
