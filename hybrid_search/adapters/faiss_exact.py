"""Exact cosines over rows in memory or mapped from disk, without copying them."""

from __future__ import annotations

from typing import Any

import faiss as faiss_stubs
import numpy as np
import numpy.typing as npt

from hybrid_search.ports import Ordinals, Vectors

faiss: Any = faiss_stubs
"""Untyped on purpose: the library's own stubs lack most of what is used here."""

Mask = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]
SCORE_PLACES = 6
"""Decimal places of a cosine that count."""


def cosines(query: Vectors, rows: Vectors, at: Positions | None = None) -> Scores:
    """The cosine of the unit query ``(d,)`` with each unit row ``(n, d)``, or with those ``at``.

    Rounded so that equal vectors tie: the kernels round the last rows of a block otherwise than
    the first.
    """
    scores = np.empty(len(rows) if at is None else len(at), np.float32)
    if len(scores):
        pointers = [faiss.swig_ptr(array) for array in (scores, query, rows)]
        if at is None:
            faiss.fvec_inner_products_ny(*pointers, len(query), len(scores))
        else:
            places = np.ascontiguousarray(at, np.int64)
            faiss.fvec_inner_products_by_idx(
                *pointers, faiss.swig_ptr(places), len(query), 1, len(scores)
            )
    return np.round(scores, SCORE_PLACES)


def top(ordinals: Ordinals, scores: Scores, limit: int) -> Positions:
    """Positions of the highest scores, in falling order; equal scores in order of ordinal."""
    if limit < 1 or not len(scores):
        return np.empty(0, np.int64)
    among = np.arange(len(scores))
    if limit < len(scores):
        cut = np.partition(scores, len(scores) - limit)[len(scores) - limit]
        among = np.flatnonzero(scores >= cut)
    return among[np.lexsort((ordinals[among], -scores[among]))][:limit]


def places_of(ordinals: Ordinals, wanted: Ordinals) -> Positions:
    """Where the wanted ordinals stand among the ascending ones; absent ones are left out."""
    places = np.searchsorted(ordinals, wanted)
    inside = places < len(ordinals)
    places, wanted = places[inside], wanted[inside]
    return np.asarray(places[ordinals[places] == wanted], np.int64)
