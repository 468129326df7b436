"""Nearest neighbours through Faiss: a sealed index, an exact tail beside it, and tombstones.

Faiss dies when one thread adds to an index that another searches. So nothing is ever added to
an index that can be seen: fresh vectors go to a tail that only grows behind the readers' backs,
and folding builds the next sealed index aside. A search takes one snapshot and keeps it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import faiss as faiss_stubs
import numpy as np
import numpy.typing as npt

from hybrid_search.errors import EngineFailure
from hybrid_search.ports import Ordinals, VectorMatches, Vectors, VectorStatus
from hybrid_search.records import Ordinal

faiss: Any = faiss_stubs
"""Untyped on purpose: the library's own stubs lack most of what is used here."""

Kind = Literal["flat", "hnsw"]
Mask = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float32]
_Scored = tuple[Ordinals, Scores]

EXACT_BELOW = 10_000
"""A filter that allows fewer vectors is searched exactly: a graph loses recall under it."""
FOLD_SHARE = 8
"""The tail is folded when it is also at least this fraction (1/8) of the sealed index."""
TIE_SLACK = 16
"""Candidates asked for beyond the limit, so that ties at the cut are settled by ordinal."""
SCORE_PLACES = 6
"""Decimal places of a cosine that count."""


@dataclass(frozen=True, slots=True)
class VectorPlan:
    """Which index is built, when, and how it is searched."""

    kind: Literal["auto", "flat", "hnsw"] = "auto"
    flat_limit: int = 20_000
    m: int = 32
    ef_construction: int = 100
    ef_search: int = 256
    fold_after: int = 4096

    def kind_for(self, count: int) -> Kind:
        """The kind that serves so many vectors."""
        if self.kind != "auto":
            return self.kind
        return "flat" if count <= self.flat_limit else "hnsw"


@dataclass(frozen=True, slots=True)
class _State:
    """What one search sees. The arrays may grow behind it, never change under it."""

    kind: Kind
    sealed: Any
    sealed_ordinals: Ordinals
    sealed_vectors: Vectors
    """The sealed index's own storage, in the order of its ordinals; not a copy."""
    tail_ordinals: Ordinals
    tail_vectors: Vectors
    dead: frozenset[Ordinal]


@contextmanager
def _translated() -> Iterator[None]:
    """Map Faiss's exceptions to this package's."""
    try:
        yield
    except (RuntimeError, AssertionError, MemoryError) as failure:
        raise EngineFailure(f"faiss: {failure}") from failure


class FaissIndex:
    """A ``VectorIndex`` that chooses between exact search and an HNSW graph by size."""

    def __init__(self, dimension: int, plan: VectorPlan | None = None) -> None:
        self._dimension = dimension
        self._plan = plan or VectorPlan()
        self._writing = threading.Lock()
        self._state: _State
        self._tail: Vectors
        self._tail_ordinals: Ordinals
        self._seal(np.empty((0, dimension), np.float32), np.empty(0, np.int64))

    # ------------------------------------------------------------------------------ writes

    def add(self, ordinals: Ordinals, vectors: Vectors) -> None:
        """Index these vectors ``(n, d)``; the ordinals are new and ascending."""
        if vectors.shape != (len(ordinals), self._dimension):
            raise EngineFailure(
                f"vectors of shape {vectors.shape} for {len(ordinals)} ordinals,"
                f" the index has {self._dimension} dimensions"
            )
        with self._writing:
            if len(ordinals) and not _ascend(self.last_ordinal, ordinals):
                raise EngineFailure(f"ordinals must rise above {self.last_ordinal}, the last one")
            used = len(self._state.tail_ordinals)
            self._reserve(used + len(ordinals))
            self._tail[used : used + len(ordinals)] = vectors
            self._tail_ordinals[used : used + len(ordinals)] = ordinals
            self._publish_tail(used + len(ordinals))
            if self._must_fold():
                self._fold()

    def remove(self, ordinals: Iterable[Ordinal]) -> None:
        """Forget these vectors; unknown ones are no error."""
        with self._writing:
            known = {o for o in ordinals if self._row(self._state, o) is not None}
            self._state = replace(self._state, dead=self._state.dead | known)

    def load(self, ordinals: Ordinals, vectors: Vectors) -> None:
        """Replace everything by these vectors, sealed as the plan has it for so many."""
        with self._writing:
            self._seal(np.ascontiguousarray(vectors, np.float32), np.asarray(ordinals, np.int64))

    # ------------------------------------------------------------------------------- reads

    def search(self, vector: Vectors, limit: int, allowed: Ordinals | None = None) -> VectorMatches:
        """The nearest to ``vector`` ``(d,)``, only among ``allowed`` (ascending) if given."""
        state, query = self._state, self._checked(vector)
        with _translated():
            sealed, plan = self._search_sealed(state, query, limit, allowed)
            tail_ok = _allowed(state.tail_ordinals, allowed, state.dead)
            tail = _exact(query, state.tail_ordinals, state.tail_vectors, tail_ok)
        ordinals = np.concatenate([sealed[0], tail[0]])
        scores = np.concatenate([sealed[1], tail[1]])
        best = _top(ordinals, scores, limit)
        if len(state.tail_ordinals):
            plan = f"{plan} + tail, exact over {len(state.tail_ordinals):,}"
        found = tuple(Ordinal(ordinal) for ordinal in ordinals[best].tolist())
        return VectorMatches(found, tuple(scores[best].tolist()), plan)

    def similarities(self, vector: Vectors, ordinals: Sequence[Ordinal]) -> dict[Ordinal, float]:
        """The exact cosine of each of these versions that has a vector."""
        state, query = self._state, self._checked(vector)
        rows = {ordinal: self._row(state, ordinal) for ordinal in ordinals}
        return {o: float(row @ query) for o, row in rows.items() if row is not None}

    @property
    def last_ordinal(self) -> Ordinal:
        """The highest ordinal that was ever added, 0 when there is none."""
        state = self._state
        newest = state.tail_ordinals if len(state.tail_ordinals) else state.sealed_ordinals
        return Ordinal(int(newest[-1])) if len(newest) else Ordinal(0)

    def vector(self, ordinal: Ordinal) -> Vectors | None:
        """The vector ``(d,)`` of that version."""
        row = self._row(self._state, ordinal)
        return None if row is None else row.copy()

    def count(self) -> int:
        """The number of live vectors."""
        state = self._state
        return len(state.sealed_ordinals) + len(state.tail_ordinals) - len(state.dead)

    def describe(self) -> VectorStatus:
        """Kind, parameters and sizes, for status reports."""
        state, plan = self._state, self._plan
        graph = {"M": plan.m, "ef_construction": plan.ef_construction, "ef_search": plan.ef_search}
        links = 8 * plan.m * len(state.sealed_ordinals) if state.kind == "hnsw" else 0
        return VectorStatus(
            kind=state.kind,
            parameters=graph if state.kind == "hnsw" else {},
            sealed=len(state.sealed_ordinals),
            tail=len(state.tail_ordinals),
            tombstones=len(state.dead),
            dimension=self._dimension,
            bytes=state.sealed_vectors.nbytes + self._tail.nbytes + links,
        )

    # ---------------------------------------------------------------------------- machinery

    def _checked(self, vector: Vectors) -> Vectors:
        if vector.shape != (self._dimension,):
            raise EngineFailure(f"vector of shape {vector.shape}, the index has {self._dimension}")
        return np.ascontiguousarray(vector, np.float32)

    def _reserve(self, needed: int) -> None:
        """Room in the tail; a grown tail is a new array, so readers keep the old one."""
        if needed <= len(self._tail):
            return
        room = max(needed, 2 * len(self._tail))
        tail = np.empty((room, self._dimension), np.float32)
        ordinals = np.empty(room, np.int64)
        tail[: len(self._tail)], ordinals[: len(self._tail)] = self._tail, self._tail_ordinals
        self._tail, self._tail_ordinals = tail, ordinals

    def _publish_tail(self, used: int) -> None:
        self._state = replace(
            self._state,
            tail_ordinals=self._tail_ordinals[:used],
            tail_vectors=self._tail[:used],
        )

    def _must_fold(self) -> bool:
        tail, sealed = len(self._state.tail_ordinals), len(self._state.sealed_ordinals)
        return tail > self._plan.fold_after and tail * FOLD_SHARE >= sealed

    def _fold(self) -> None:
        """Seal what is live; a graph that stays a graph is copied and only grown."""
        state = self._state
        kind = self._plan.kind_for(self.count())
        if kind == "hnsw" == state.kind and len(state.dead) * 4 < len(state.sealed_ordinals):
            with _translated():
                grown = faiss.clone_index(state.sealed)
                grown.add(state.tail_vectors)
            ordinals = np.concatenate([state.sealed_ordinals, state.tail_ordinals])
            dead = state.dead
            self._state = replace(self._sealed_state(grown, ordinals, kind), dead=dead)
            return
        ordinals = np.concatenate([state.sealed_ordinals, state.tail_ordinals])
        vectors = np.concatenate([state.sealed_vectors, state.tail_vectors])
        live = _allowed(ordinals, None, state.dead)
        self._seal(*((vectors, ordinals) if live is None else (vectors[live], ordinals[live])))

    def _seal(self, vectors: Vectors, ordinals: Ordinals) -> None:
        kind = self._plan.kind_for(len(ordinals))
        self._state = self._sealed_state(self._build(kind, vectors), ordinals, kind)

    def _build(self, kind: Kind, vectors: Vectors) -> Any:
        with _translated():
            if kind == "flat":
                index = faiss.IndexFlatIP(self._dimension)
            else:
                index = faiss.IndexHNSWFlat(
                    self._dimension, self._plan.m, faiss.METRIC_INNER_PRODUCT
                )
                index.hnsw.efConstruction = self._plan.ef_construction
            index.add(vectors)
        return index

    def _sealed_state(self, sealed: Any, ordinals: Ordinals, kind: Kind) -> _State:
        storage = sealed.storage if kind == "hnsw" else sealed
        flat = faiss.downcast_index(storage)
        vectors = faiss.rev_swig_ptr(flat.get_xb(), len(ordinals) * self._dimension)
        self._tail = np.empty((1024, self._dimension), np.float32)
        self._tail_ordinals = np.empty(1024, np.int64)
        return _State(
            kind=kind,
            sealed=sealed,
            sealed_ordinals=ordinals,
            sealed_vectors=vectors.reshape(len(ordinals), self._dimension),
            tail_ordinals=self._tail_ordinals[:0],
            tail_vectors=self._tail[:0],
            dead=frozenset(),
        )

    def _search_sealed(
        self, state: _State, query: Vectors, limit: int, allowed: Ordinals | None
    ) -> tuple[_Scored, str]:
        total = len(state.sealed_ordinals)
        ok = _allowed(state.sealed_ordinals, allowed, state.dead)
        left = total if ok is None else int(ok.sum())
        exact = f"{state.kind}, exact over {left:,} of {total:,} vectors"
        if state.kind == "flat" or not left or (allowed is not None and left < EXACT_BELOW):
            return _exact(query, state.sealed_ordinals, state.sealed_vectors, ok), exact
        positions = self._walk(state.sealed, query, limit, ok)
        if len(positions) < min(limit, left):
            # The graph ran dry under the filter or among tombstones.
            return _exact(query, state.sealed_ordinals, state.sealed_vectors, ok), exact
        plan = f"hnsw, ef_search {max(self._plan.ef_search, limit)}, {total:,} vectors"
        # Scored again: the graph's kernels round equal vectors differently, which breaks ties.
        rows = state.sealed_vectors[positions]
        return _exact(query, state.sealed_ordinals[positions], rows, None), plan

    def _walk(self, graph: Any, query: Vectors, limit: int, ok: Mask | None) -> Ordinals:
        """Positions of the nearest that the graph finds, some beyond the limit for ties."""
        asked = min(limit + TIE_SLACK, graph.ntotal)
        parameters = faiss.SearchParametersHNSW(efSearch=max(self._plan.ef_search, asked))
        if ok is not None:
            bits = np.packbits(ok, bitorder="little")
            # Faiss keeps bare pointers: both must live until the search is over.
            selector = faiss.IDSelectorBitmap(bits)
            parameters.sel = selector
        positions = graph.search(query[None, :], asked, params=parameters)[1][0]
        return np.asarray(positions[positions >= 0])

    def _row(self, state: _State, ordinal: Ordinal) -> Vectors | None:
        if ordinal in state.dead:
            return None
        pairs = (
            (state.sealed_ordinals, state.sealed_vectors),
            (state.tail_ordinals, state.tail_vectors),
        )
        for ordinals, vectors in pairs:
            place = int(np.searchsorted(ordinals, ordinal))
            if place < len(ordinals) and ordinals[place] == ordinal:
                return vectors[place]  # type: ignore[no-any-return]  # a row of a float32 matrix
        return None


def _ascend(last: Ordinal, ordinals: Ordinals) -> bool:
    return bool(ordinals[0] > last and np.all(np.diff(ordinals) > 0))


def _allowed(ordinals: Ordinals, allowed: Ordinals | None, dead: frozenset[Ordinal]) -> Mask | None:
    """Which of the ascending ordinals may be returned; ``None`` for all."""
    if allowed is None and not dead:
        return None
    ok = np.ones(len(ordinals), bool) if allowed is None else _contained(ordinals, allowed)
    gone = np.fromiter(dead, np.int64, len(dead))
    places = np.searchsorted(ordinals, gone)
    inside = places < len(ordinals)
    ok[places[inside][ordinals[places[inside]] == gone[inside]]] = False
    return ok


def _contained(ordinals: Ordinals, allowed: Ordinals) -> Mask:
    """Which of the ordinals are among the ascending ``allowed``."""
    if not len(allowed):
        return np.zeros(len(ordinals), bool)
    places = np.minimum(np.searchsorted(allowed, ordinals), len(allowed) - 1)
    return np.asarray(allowed[places] == ordinals)


def _exact(query: Vectors, ordinals: Ordinals, vectors: Vectors, ok: Mask | None) -> _Scored:
    """Every allowed ordinal and its cosine, rounded so that equal vectors tie."""
    if ok is not None:
        ordinals, vectors = ordinals[ok], vectors[ok]
    scores = np.empty(len(ordinals), np.float32)
    if len(ordinals):
        pointers = [faiss.swig_ptr(array) for array in (scores, query, vectors)]
        faiss.fvec_inner_products_ny(*pointers, query.shape[0], len(ordinals))
    # The kernel rounds the last rows of a block otherwise than the first: below this nothing
    # is told apart.
    return ordinals, np.round(scores, SCORE_PLACES)


def _top(ordinals: Ordinals, scores: Scores, limit: int) -> Ordinals:
    """Positions of the highest scores, in falling order; equal scores in order of ordinal."""
    if limit < 1 or not len(scores):
        return np.empty(0, np.int64)
    among = np.arange(len(scores))
    if limit < len(scores):
        cut = np.partition(scores, len(scores) - limit)[len(scores) - limit]
        among = np.flatnonzero(scores >= cut)
    return among[np.lexsort((ordinals[among], -scores[among]))][:limit]
