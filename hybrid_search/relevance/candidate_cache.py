"""What was retrieved for one judged query, as arrays that are fused in many ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybrid_search.core import CandidateList, ListName, Ordinal
from hybrid_search.core.ports import Catalog
from hybrid_search.relevance.evaluation import TestQuery
from hybrid_search.search.fusion import Outside
from hybrid_search.search.searcher import Searcher

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CachedList:
    """One list of candidates, best first, to the widest window that is tried."""

    name: ListName
    columns: Places
    """Of each candidate among those of the query; -1 for one that is out of its scope."""
    scores: NDArray[np.float64]
    confidences: NDArray[np.float64] | None
    exhausted: bool
    """Whether it holds all that match."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """All candidates of a query that are in its scope, ascending by ordinal."""

    test: TestQuery
    ids: tuple[str, ...]
    grades: NDArray[np.float64]
    """What each was judged, 0 for what was not."""
    judged: tuple[float, ...]
    """The grades of all judgments of the query."""
    phrases: Places
    """How many of the quoted phrases each holds."""
    lists: tuple[CachedList, ...]
    outside: tuple[tuple[tuple[ListName, ...], NDArray[np.bool_]], ...]
    """Candidates that some of the lists could not hold."""


def retrieve(
    searcher: Searcher, catalog: Catalog, test: TestQuery, judgments: Mapping[str, int]
) -> Candidates:
    """The candidates of the query, whose ``judgments`` are grades by asset id."""
    found = searcher.retrieve(test.query)
    ordinals = sorted({o for part in found.lists for o in part.ordinals})
    stored = catalog.fetch(sorted(catalog.live(ordinals)))
    inside = [o for o in ordinals if o in stored and _in_scope(test, stored[o].asset.source)]
    column = {ordinal: place for place, ordinal in enumerate(inside)}
    ids = tuple(str(stored[ordinal].asset.id) for ordinal in inside)
    held = searcher.phrases_held(found)
    return Candidates(
        test=test,
        ids=ids,
        grades=np.array([max(0, judgments.get(name, 0)) for name in ids], np.float64),
        judged=tuple(float(grade) for grade in judgments.values()),
        phrases=np.array([held.get(ordinal, 0) for ordinal in inside], np.int64),
        lists=tuple(_cached(part, column) for part in found.lists),
        outside=tuple(_outside(part, inside) for part in found.outside),
    )


def _in_scope(test: TestQuery, source: str | None) -> bool:
    return test.scope in {"all", source}


def _cached(part: CandidateList, column: Mapping[Ordinal, int]) -> CachedList:
    count = min(part.window, len(part.ordinals))
    return CachedList(
        name=part.name,
        columns=np.array([column.get(o, -1) for o in part.ordinals[:count]], np.int64),
        scores=np.array(part.scores[:count], np.float64),
        confidences=np.array(part.confidences[:count]) if part.confidences else None,
        exhausted=part.exhausted,
    )


def _outside(
    part: Outside, inside: Sequence[Ordinal]
) -> tuple[tuple[ListName, ...], NDArray[np.bool_]]:
    return tuple(part.lists), np.array([ordinal in part.ordinals for ordinal in inside], np.bool_)
