"""Synthetic embeddings with the geometry of CLIP, for nearest-neighbour benchmarks.

Pictures form topics of unequal size, vary in few directions inside a topic, and share a mean
direction. Texts lie around another mean (the modality gap: Liang et al., Mind the Gap, NeurIPS
2022), nearer to the pictures of their topic than to others. The first and the hundredth picture
for a text differ little, so text queries are the difficult ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float32]
_TOPICS_EACH = 100
"""Mean number of pictures in a topic."""
_INNER = 24
"""Directions in which the pictures of one topic vary."""
_CHUNK = 50_000


@dataclass(frozen=True, slots=True)
class Cloud:
    """Pictures as unit rows with their topics, and two kinds of queries."""

    pictures: Rows
    topics: npt.NDArray[np.int64]
    like_pictures: Rows
    """Queries near a picture: another crop of it."""
    like_texts: Rows
    """Queries from the other side of the modality gap."""
    query_topics: npt.NDArray[np.int64]
    """The topic of each query, the same for both kinds."""


def cloud(count: int, dimension: int = 512, queries: int = 1000, seed: int = 7) -> Cloud:
    """Return ``count`` pictures and ``queries`` queries of each kind; deterministic for a seed."""
    chance = np.random.default_rng(seed)
    sides = _units(chance.normal(size=(2, dimension)))
    topics = max(8, count // _TOPICS_EACH)
    centres = _units(chance.normal(size=(topics, dimension)))
    inner = _units(chance.normal(size=(64, _INNER, dimension)))
    shares = 1.0 / np.arange(1, topics + 1) ** 0.5
    of = chance.choice(topics, count, p=shares / shares.sum())
    pictures = np.empty((count, dimension), np.float32)
    for start in range(0, count, _CHUNK):
        part = of[start : start + _CHUNK]
        within = _within(chance, inner, part % 64)
        pictures[start : start + len(part)] = _units(sides[0] + centres[part] + 0.8 * within)
    chosen = chance.choice(count, queries)
    noise = _units(chance.normal(size=(2, queries, dimension)))
    texts = sides[1] + 0.35 * centres[of[chosen]] + 0.35 * pictures[chosen] + 0.5 * noise[1]
    near = pictures[chosen] + 0.35 * noise[0]
    return Cloud(pictures, of, _units(near), _units(texts), of[chosen])


def _within(chance: np.random.Generator, directions: Rows, of: npt.NDArray[np.int64]) -> Rows:
    weights = chance.normal(size=(len(of), _INNER)).astype(np.float32)
    rows = np.empty((len(of), directions.shape[-1]), np.float32)
    for place, inner in enumerate(directions):
        rows[of == place] = weights[of == place] @ inner
    return np.asarray(rows / np.sqrt(_INNER), np.float32)


def _units(rows: npt.NDArray[np.floating]) -> Rows:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), np.float32)
