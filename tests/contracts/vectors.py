"""Unit vectors and ordinals for tests of vector indexes."""

import numpy as np

from hybrid_search.ports import Ordinals, VectorIndex, Vectors
from hybrid_search.records import Ordinal

WIDTH = 8


def units(count: int, seed: int = 0, width: int = WIDTH) -> Vectors:
    rows = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def span(first: int, behind: int) -> Ordinals:
    return np.arange(first, behind, dtype=np.int64)


def gathered(*ordinals: int) -> list[Ordinal]:
    return [Ordinal(ordinal) for ordinal in ordinals]


def fill(index: VectorIndex, rows: Vectors, step: int = 7) -> None:
    """Add row n under ordinal n + 1, a few at a time."""
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        index.add(span(start + 1, start + 1 + len(part)), part)


def nearest(rows: Vectors, query: Vectors, limit: int, among: set[int]) -> list[int]:
    order = sorted(among, key=lambda ordinal: (-float(rows[ordinal - 1] @ query), ordinal))
    return order[:limit]
