"""Nearest neighbours through Faiss: a sealed index, an exact tail beside it, and tombstones.

Faiss dies when one thread adds to an index that another searches. So nothing is ever added to
an index that can be seen: fresh vectors go to a tail, and folding or rebuilding writes the next
sealed index into a folder of its own, from where it is mapped. A search takes one state and
keeps it. Any sealed index will do, whoever wrote it: what came since lies in the tail, what went
since is a tombstone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hybrid_search.adapters.faiss_exact import Positions, cosines, faiss, places_of, scan, top
from hybrid_search.adapters.faiss_sealed import (
    Sealed,
    nothing,
    open_sealed,
    room_for_rows,
    write_built,
    write_grown,
)
from hybrid_search.adapters.faiss_sealings import Sealings
from hybrid_search.adapters.faiss_tail import Tail
from hybrid_search.adapters.faiss_walks import TIE_SLACK, Scored, SealedView, search_sealed
from hybrid_search.errors import EngineFailure
from hybrid_search.ports import (
    Due,
    LiveVectors,
    Ordinals,
    Rebuilt,
    VectorMatches,
    Vectors,
    VectorStatus,
)
from hybrid_search.records import Ordinal
from hybrid_search.vector_plans import Layout, VectorPlan, layout_for, searched_as

_FOLD_SHARE = 32
"""The tail is folded when it is also at least this fraction of the sealed index."""
_GROWN_SHARE = 2
"""Up to this fraction of the sealed index is inserted; more is reason to train anew."""
_SHARED = 20_000
"""Vectors from which on several threads build: with fewer they mostly wait for each other."""
_NOISE = 0.01
"""By how much a measured recall may fall short: it is a sample."""
_DEPTH = 10
"""Neighbours of a probe whose recall is measured."""


@dataclass(frozen=True, slots=True)
class _State:
    """What one search sees."""

    view: SealedView
    tail: Tail
    watermark: int
    last: Ordinal

    def live(self) -> tuple[Ordinals, Vectors]:
        """Everything alive, in order of ordinal."""
        kept, fresh = self.view.alive, self.tail.alive
        ordinals = np.concatenate([self.view.sealed.ordinals[kept], self.tail.ordinals[fresh]])
        rows = np.concatenate([self.view.sealed.rows[kept], self.tail.rows[fresh]])
        order = np.argsort(ordinals, kind="stable")
        return ordinals[order], rows[order]

    @property
    def count(self) -> int:
        return self.view.count + int(self.tail.alive.sum())


@contextmanager
def _translated() -> Iterator[None]:
    """Map Faiss's exceptions to this package's."""
    try:
        yield
    except (RuntimeError, AssertionError, MemoryError, OSError) as failure:
        raise EngineFailure(f"faiss: {failure}") from failure


class FaissIndex:
    """A ``VectorIndex`` over one folder, in which any process may seal."""

    def __init__(self, dimension: int, folder: Path, plan: VectorPlan | None = None) -> None:
        """Open what was sealed last; ``add`` and ``remove`` bring in what came since."""
        self._dimension = dimension
        self._plan = plan or VectorPlan()
        self._sealings = Sealings(folder)
        self._writing = threading.Lock()
        self._refused: Path | None = None
        self._state = self._opened(self._sealings.newest() or nothing(dimension))

    # ------------------------------------------------------------------------------ writes

    def add(self, ordinals: Ordinals, vectors: Vectors) -> None:
        """Index these vectors ``(n, d)``; the ordinals are new and ascending."""
        if vectors.shape != (len(ordinals), self._dimension):
            raise EngineFailure(
                f"vectors of shape {vectors.shape} for {len(ordinals)} ordinals,"
                f" the index has {self._dimension} dimensions"
            )
        if not len(ordinals):
            return
        with self._writing:
            if not _ascend(self._state.last, ordinals):
                raise EngineFailure(f"ordinals must rise above {self._state.last}, the last one")
            tail = self._state.tail.with_more(ordinals, vectors)
            self._state = replace(self._state, tail=tail, last=Ordinal(int(ordinals[-1])))

    def remove(self, ordinals: Iterable[Ordinal]) -> None:
        """Forget these vectors; unknown ones are no error."""
        gone = np.array(sorted(set(ordinals)), np.int64)
        if not len(gone):
            return
        with self._writing:
            state = self._state
            view, tail = state.view.without(gone), state.tail.without(gone)
            self._state = replace(state, view=view, tail=tail)

    def advance(self, watermark: int) -> None:
        """Remember that everything up to that operation is in."""
        with self._writing:
            self._state = replace(self._state, watermark=watermark)

    # ------------------------------------------------------------------------------- reads

    def search(self, vector: Vectors, limit: int, allowed: Ordinals | None = None) -> VectorMatches:
        """The nearest to ``vector`` ``(d,)``, only among ``allowed`` (ascending) if given."""
        return self._search(self._state, self._checked(vector), limit, allowed)

    def search_many(self, vectors: Vectors, limit: int) -> list[VectorMatches]:
        """The nearest to each of ``vectors`` ``(n, d)``, exactly; for work done offline."""
        # Torch takes seconds to import, and searches one by one do without.
        from hybrid_search.adapters.matrix_search import nearest_of_many  # noqa: PLC0415

        if vectors.ndim != 2:
            raise EngineFailure(
                f"vectors of shape {vectors.shape}, expected (n, {self._dimension})"
            )
        state, wanted = self._state, max(0, limit) + TIE_SLACK
        queries = np.array([self._checked(vector) for vector in vectors], np.float32)
        sealed, plan = state.view.sealed, f"exact over {state.view.count:,} vectors, many at once"
        found = []
        for query, at in zip(
            queries, nearest_of_many(queries, sealed.rows, state.view.alive, wanted), strict=True
        ):
            scored = Scored(sealed.ordinals[at], cosines(query, sealed.rows, at), plan)
            found.append(self._merged(state, query, scored, limit=limit, allowed=None))
        return found

    def similarities(self, vector: Vectors, ordinals: Sequence[Ordinal]) -> dict[Ordinal, float]:
        """The exact cosine of each of these versions that has a vector."""
        state, query = self._state, self._checked(vector)
        rows = {ordinal: _row(state, ordinal) for ordinal in ordinals}
        return {o: float(row @ query) for o, row in rows.items() if row is not None}

    @property
    def watermark(self) -> int:
        """The last operation that is in; 0 for a new index."""
        return self._state.watermark

    @property
    def last_ordinal(self) -> Ordinal:
        """The highest ordinal that was ever added, 0 when there is none."""
        return self._state.last

    def vector(self, ordinal: Ordinal) -> Vectors | None:
        """The vector ``(d,)`` of that version."""
        row = _row(self._state, ordinal)
        return None if row is None else row.copy()

    def count(self) -> int:
        """The number of live vectors."""
        return self._state.count

    def describe(self) -> VectorStatus:
        """Kind, parameters and sizes, for status reports."""
        state, sealed = self._state, self._state.view.sealed
        dead = len(state.view.alive) - state.view.count + int((~state.tail.alive).sum())
        return VectorStatus(
            kind=sealed.layout.kind,
            parameters=sealed.layout.parameters,
            sealed=len(sealed.ordinals),
            tail=len(state.tail.ordinals),
            tombstones=dead,
            inserted=len(sealed.ordinals) - sealed.health.trained,
            drift=sealed.health.drift,
            dimension=self._dimension,
            bytes=sealed.memory + state.tail.rows.nbytes,
            predicted=sealed.layout.bytes_for(len(sealed.ordinals), self._dimension),
            disk=sum(sealed.files.values()),
            sealing="" if sealed.folder is None else sealed.folder.name,
            trouble=self._sealings.trouble,
        )

    # ------------------------------------------------------------------------------- care

    def due(self) -> Due | None:
        """What should be done for the index, if anything."""
        state, plan, sealed = self._state, self._plan, self._state.view.sealed
        total = len(sealed.ordinals)
        dead = total - state.view.count
        decayed = dead > plan.rebuild_tombstones * total and dead > plan.fold_after // 4
        drifted = max(sealed.health.drift.values(), default=0.0) > plan.rebuild_drift
        if (decayed or drifted) and sealed.folder != self._refused:
            return "rebuild"
        waiting = len(state.tail.ordinals)
        return "fold" if waiting > plan.fold_after and waiting * _FOLD_SHARE >= total else None

    def fold(self) -> None:
        """Seal the tail, as the kind has it: insert it, or build where there is little to grow.

        Searches and writes go on. Raises ``IndexLocked`` while another process seals.
        """
        with self._building() as folder:
            state = self._state
            sealed, fresh = state.view.sealed, state.tail.alive
            if sealed.index is None or int(fresh.sum()) * _GROWN_SHARE > len(sealed.ordinals):
                ordinals, rows = state.live()
                room = room_for_rows(folder, *rows.shape)
                room[:] = rows
                self._write(folder, ordinals, room, state.watermark)
            else:
                ordinals, rows = state.tail.ordinals[fresh], state.tail.rows[fresh]
                write_grown(folder, sealed, ordinals, rows, state.watermark)
            self._publish(folder)

    def rebuild(self, live: LiveVectors, probes: Vectors) -> Rebuilt:
        """Train and build anew from the vectors that are alive.

        Searches and writes go on. Published only if the recall on the probes ``(n, d)`` is as
        good as that of the serving index, or, for another layout, at least the plan's.
        """
        started = time.monotonic()
        with self._building() as folder:
            ordinals, rows = self._gathered(folder, live)
            layout = self._write(folder, ordinals, rows, live.sequence)
            fresh = open_sealed(folder)
            before = self._recall(self._state, probes)
            after = self._recall(self._opened(fresh), probes)
            same = searched_as(self._plan, layout) == self._state.view.sealed.layout
            floor = before - _NOISE if same else 0.0
            published = after >= min(1.0, max(floor, self._plan.min_recall - _NOISE))
            if published:
                self._publish(folder)
            else:
                self._refused = self._state.view.sealed.folder
        return Rebuilt(
            published=published,
            kind=layout.name,
            parameters=layout.parameters,
            vectors=len(ordinals),
            recall=after,
            recall_before=before,
            bytes=fresh.memory,
            predicted=layout.bytes_for(len(ordinals), self._dimension),
            seconds=time.monotonic() - started,
        )

    def adopt(self) -> bool:
        """Take an index that another process has sealed; whether none is left to take.

        One that knows later operations than this index is left until these are in.
        """
        if not self._sealings.has_other_than(self._state.view.sealed.folder):
            return True
        sealed = self._sealings.newest()
        if sealed is not None and sealed.sequence <= self._state.watermark:
            self._take(sealed)
        return sealed is None or sealed.sequence <= self._state.watermark

    # ---------------------------------------------------------------------------- machinery

    def _search(
        self, state: _State, query: Vectors, limit: int, allowed: Ordinals | None
    ) -> VectorMatches:
        # One query is too little for several threads: they would wait for each other at its end.
        faiss.omp_set_num_threads(1)
        with _translated():
            sealed = search_sealed(state.view, query, limit, allowed, self._plan.exact_below)
            return self._merged(state, query, sealed, limit=limit, allowed=allowed)

    @staticmethod
    def _merged(
        state: _State, query: Vectors, sealed: Scored, *, limit: int, allowed: Ordinals | None
    ) -> VectorMatches:
        """The best of what the sealed index found and of the tail."""
        fresh_ordinals, fresh_scores = state.tail.search(query, allowed)
        ordinals = np.concatenate([sealed.ordinals, fresh_ordinals])
        scores = np.concatenate([sealed.scores, fresh_scores])
        best = top(ordinals, scores, limit)
        plan = sealed.plan
        if len(state.tail.ordinals):
            plan = f"{plan} + tail, exact over {len(state.tail.ordinals):,}"
        found = tuple(Ordinal(ordinal) for ordinal in ordinals[best].tolist())
        return VectorMatches(found, tuple(scores[best].tolist()), plan)

    def _checked(self, vector: Vectors) -> Vectors:
        if vector.shape != (self._dimension,):
            raise EngineFailure(f"vector of shape {vector.shape}, the index has {self._dimension}")
        return np.ascontiguousarray(vector, np.float32)

    @contextmanager
    def _building(self) -> Iterator[Path]:
        with self._sealings.writing() as folder, _translated():
            faiss.omp_set_num_threads(self._plan.build_threads)
            yield folder

    def _opened(self, sealed: Sealed) -> _State:
        sealed = self._tuned(sealed)
        last = Ordinal(int(sealed.ordinals[-1])) if len(sealed.ordinals) else Ordinal(0)
        tail = Tail.empty(self._dimension)
        return _State(SealedView.whole(sealed), tail, sealed.sequence, last)

    def _tuned(self, sealed: Sealed) -> Sealed:
        """The sealed index, searched as the settings have it now."""
        return replace(sealed, layout=searched_as(self._plan, sealed.layout))

    def _write(self, folder: Path, ordinals: Ordinals, rows: Vectors, watermark: int) -> Layout:
        layout = layout_for(self._plan, len(ordinals), self._dimension)
        if len(ordinals) < _SHARED:
            faiss.omp_set_num_threads(1)
        write_built(folder, layout, ordinals, rows, watermark)
        return layout

    def _gathered(self, folder: Path, live: LiveVectors) -> tuple[Ordinals, Vectors]:
        rows = room_for_rows(folder, live.count, self._dimension)
        ordinals = np.empty(live.count, np.int64)
        used = 0
        for some, part in live.portions:
            ordinals[used : used + len(some)], rows[used : used + len(some)] = some, part
            used += len(some)
        return ordinals, rows

    def _publish(self, folder: Path) -> None:
        sealed = self._sealings.publish(folder)
        if sealed.sequence <= self._state.watermark:
            self._take(sealed)

    def _take(self, sealed: Sealed) -> None:
        """Serve that sealed index: what it lacks is the tail, what died since is dead in it."""
        with self._writing:
            state = self._state
            ordinals, rows = state.view.sealed.ordinals, state.view.sealed.rows
            living = ordinals[state.view.alive], state.tail.ordinals[state.tail.alive]
            alive = np.zeros(len(sealed.ordinals), bool)
            for part in living:
                alive[places_of(sealed.ordinals, part)] = True
            lacked = [_absent(sealed.ordinals, part) for part in living]
            old = rows[places_of(ordinals, lacked[0])]
            new = state.tail.rows[places_of(state.tail.ordinals, lacked[1])]
            both = np.concatenate(lacked)
            order = np.argsort(both, kind="stable")
            tail = Tail.of(both[order], np.concatenate([old, new])[order])
            view = SealedView(self._tuned(sealed), alive, int(alive.sum()))
            self._state = _State(view, tail, state.watermark, state.last)

    def _recall(self, state: _State, probes: Vectors) -> float:
        """The share of the nearest that a search of that state finds; ties count as found."""
        if not len(probes) or not state.count:
            return 1.0
        found = wanted = 0
        for probe in np.ascontiguousarray(probes, np.float32):
            rows = state.view.sealed.rows
            near = cosines(probe, rows, scan(probe, rows, _DEPTH, state.view.alive))
            exact = np.sort(np.concatenate([near, state.tail.search(probe, None)[1]]))[-_DEPTH:]
            scores = self._search(state, probe, len(exact), None).scores
            found += sum(score >= exact[0] for score in scores)
            wanted += len(exact)
        return found / wanted


def _absent(ordinals: Ordinals, wanted: Ordinals) -> Ordinals:
    """Those of the ascending ``wanted`` that are not among the ascending ordinals."""
    known = ordinals[places_of(ordinals, wanted)]
    return np.setdiff1d(wanted, known, assume_unique=True)


def _row(state: _State, ordinal: Ordinal) -> Vectors | None:
    wanted = np.array([ordinal], np.int64)
    sealed, tail = state.view.sealed, state.tail
    for ordinals, rows, alive in (
        (sealed.ordinals, sealed.rows, state.view.alive),
        (tail.ordinals, tail.rows, tail.alive),
    ):
        at: Positions = places_of(ordinals, wanted)
        if len(at) and alive[at[0]]:
            return np.asarray(rows[at[0]])
    return None


def _ascend(last: Ordinal, ordinals: Ordinals) -> bool:
    return bool(ordinals[0] > last and np.all(np.diff(ordinals) > 0))
