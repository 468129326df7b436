"""Exact cosines over rows in memory or mapped from disk, without copies."""

from __future__ import annotations

from typing import Any

import faiss as faiss_stubs
import numpy as np
import numpy.typing as npt

from hybrid_search.core.ports import Ordinals, Vectors

faiss: Any = faiss_stubs
"""Untyped: the library's stubs lack most of what is used here."""

Mask = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]
SCORE_PLACES = 6
"""Cosines are rounded to so many decimal places."""
_LEAST = -1.001
"""Below any cosine."""


def cosines(query: Vectors, rows: Vectors, at: Positions) -> Scores:
    """The cosines ``(m,)`` of a unit query ``(d,)`` with the rows ``(n, d)`` at positions ``(m,)``.

    Equal rows have equal cosines, whatever their position.
    """
    scores = np.empty(len(at), np.float32)
    if len(at):
        places = np.ascontiguousarray(at, np.int64)
        pointers = [faiss.swig_ptr(array) for array in (scores, query, rows, places)]
        faiss.fvec_inner_products_by_idx(*pointers, len(query), 1, len(at))
    return np.round(scores, SCORE_PLACES)


def scan(query: Vectors, rows: Vectors, limit: int, live: Mask | None = None) -> Positions:
    """Positions that include the ``limit`` nearest live rows and all ties with the last of them.

    Contiguous rows are scanned faster than single ones, but this kernel rounds rows at the end of
    a block differently. So rows within the rounding error of the cut are included.
    """
    scores = np.empty(len(rows), np.float32)
    if len(rows):
        pointers = [faiss.swig_ptr(array) for array in (scores, query, rows)]
        faiss.fvec_inner_products_ny(*pointers, len(query), len(rows))
    if live is not None:
        scores[~live] = -np.inf
    if limit < len(scores):
        cut = np.partition(scores, len(scores) - limit)[len(scores) - limit] if limit > 0 else 2.0
        return np.flatnonzero(scores >= max(cut, _LEAST) - 2.0 * 10.0**-SCORE_PLACES)
    return np.flatnonzero(scores > -np.inf)


def top(ordinals: Ordinals, scores: Scores, limit: int) -> Positions:
    """Positions of the ``limit`` highest scores, descending; ties in order of ordinal."""
    if limit < 1 or not len(scores):
        return np.empty(0, np.int64)
    among = np.arange(len(scores))
    if limit < len(scores):
        cut = np.partition(scores, len(scores) - limit)[len(scores) - limit]
        among = np.flatnonzero(scores >= cut)
    return among[np.lexsort((ordinals[among], -scores[among]))][:limit]


def places_of(ordinals: Ordinals, wanted: Ordinals) -> Positions:
    """Positions of the wanted ordinals among the ascending ones; absent ones are left out."""
    places = np.searchsorted(ordinals, wanted)
    inside = places < len(ordinals)
    places, wanted = places[inside], wanted[inside]
    return np.asarray(places[ordinals[places] == wanted], np.int64)
