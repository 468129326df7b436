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
from dataclasses import replace
from pathlib import Path

import numpy as np

from hybrid_search.core import Ordinal
from hybrid_search.core.errors import EngineFailure, StorageFull, is_full
from hybrid_search.core.ports import (
    Due,
    LiveVectors,
    Ordinals,
    Rebuilt,
    VectorMatches,
    Vectors,
    VectorStatus,
)
from hybrid_search.files.quarantine import Repairs
from hybrid_search.stores.embedded.vector.builder import build, fold
from hybrid_search.stores.embedded.vector.exact_scan import cosines, faiss, places_of, top
from hybrid_search.stores.embedded.vector.filtered_search import (
    TIE_SLACK,
    Scored,
    SealedView,
    search_sealed,
)
from hybrid_search.stores.embedded.vector.index_spec import (
    Layout,
    VectorPlan,
    searched_as,
    wider_and_wider,
)
from hybrid_search.stores.embedded.vector.recall_tuner import Search, Yardstick
from hybrid_search.stores.embedded.vector.segment import (
    Sealed,
    nothing,
    open_sealed,
    write_layout,
)
from hybrid_search.stores.embedded.vector.segment_store import Sealings
from hybrid_search.stores.embedded.vector.snapshot import State
from hybrid_search.stores.embedded.vector.write_buffer import Tail

_FOLD_SHARE = 32
"""The tail is folded when it is also at least this fraction of the sealed index."""
_NOISE = 0.01
"""By how much a measured recall may fall short: it is a sample."""


@contextmanager
def _translated() -> Iterator[None]:
    """Map Faiss's exceptions to this package's."""
    try:
        yield
    except (RuntimeError, AssertionError, MemoryError, OSError) as failure:
        if is_full(failure):
            raise StorageFull("vectors: no space left; free some and try again") from failure
        raise EngineFailure(f"faiss: {failure}") from failure


class FaissIndex:
    """A ``VectorIndex`` over one folder, in which any process may seal."""

    def __init__(
        self,
        dimension: int,
        folder: Path,
        plan: VectorPlan | None = None,
        *,
        checked: bool = False,
        repairs: Repairs | None = None,
    ) -> None:
        """Open what was sealed last; ``add`` and ``remove`` bring in what came since.

        If it is to be ``checked``, every file is compared with its hash. What is damaged is not
        opened, and with ``repairs`` set aside, for what was sealed before: all that is lacking is
        then to be added.
        """
        self._dimension = dimension
        self._plan = plan or VectorPlan()
        self._sealings = Sealings(folder)
        self._writing = threading.Lock()
        self._refused: Path | None = None
        sealed = self._sealings.first(repairs, hashes=checked)
        self._state = self._opened(sealed or nothing(dimension))

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
        from hybrid_search.stores.embedded.vector.matrix_search import nearest_of_many  # noqa: PLC0415

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
        rows = {ordinal: state.row(ordinal) for ordinal in ordinals}
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
        row = self._state.row(ordinal)
        return None if row is None else row.copy()

    def holds(self, ordinals: Sequence[Ordinal]) -> set[Ordinal]:
        """Those of these versions that have a vector."""
        return self._state.holds(np.array(sorted(ordinals), np.int64))

    def sample(self, limit: int) -> Vectors:
        """Up to so many live vectors ``(n, d)``, spread evenly over them in order of ordinal."""
        return self._state.sample(limit)

    def ordinals(self) -> Ordinals:
        """All versions that have a live vector, ascending."""
        return self._state.ordinals()

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
            disk=sum(facts.bytes for facts in sealed.files.values()),
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
            fold(folder, self._state, self._plan)
            self._publish(folder)

    def rebuild(self, live: LiveVectors, probes: Sequence[Vectors]) -> Rebuilt:
        """Train and build anew from the vectors that are alive.

        Searches and writes go on. It is searched as widely as its recall needs on the probes,
        arrays ``(n, d)`` of one kind of query each, and published if the least is at least the
        plan's and, for the same kind of index, that of the serving one.
        """
        started = time.monotonic()
        with self._building() as folder:
            count = build(folder, live, self._plan, self._dimension)
            fresh, after = self._widened(folder, probes)
            serving = self._state.view.sealed
            before = self._recall(self._state, probes)
            published = after >= self._least(before, fresh.layout, serving.layout)
            if published:
                self._publish(folder)
            else:
                self._refused = serving.folder
        return Rebuilt(
            published=published,
            kind=fresh.layout.name,
            parameters=fresh.layout.parameters,
            vectors=count,
            recall=after,
            recall_before=before,
            bytes=fresh.memory,
            predicted=fresh.layout.bytes_for(count, self._dimension),
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
        self, state: State, query: Vectors, limit: int, allowed: Ordinals | None
    ) -> VectorMatches:
        # One query is too little for several threads: they would wait for each other at its end.
        faiss.omp_set_num_threads(1)
        with _translated():
            sealed = search_sealed(state.view, query, limit, allowed, self._plan.exact_below)
            return self._merged(state, query, sealed, limit=limit, allowed=allowed)

    @staticmethod
    def _merged(
        state: State, query: Vectors, sealed: Scored, *, limit: int, allowed: Ordinals | None
    ) -> VectorMatches:
        """The best of what the sealed index found and of the tail."""
        fresh_ordinals, fresh_scores = state.tail.search(query, allowed)
        ordinals = np.concatenate([sealed.ordinals, fresh_ordinals])
        scores = np.concatenate([sealed.scores, fresh_scores])
        best = top(ordinals, scores, limit)
        plan, waiting = sealed.plan, len(state.tail.ordinals)
        if waiting:
            tail = f"exact over {waiting:,}"
            plan = f"{plan} + tail, {tail}" if len(state.view.sealed.ordinals) else tail
        found = tuple(Ordinal(ordinal) for ordinal in ordinals[best].tolist())
        return VectorMatches(found, tuple(scores[best].tolist()), plan)

    def _checked(self, vector: Vectors) -> Vectors:
        if vector.shape != (self._dimension,):
            raise EngineFailure(f"vector of shape {vector.shape}, the index has {self._dimension}")
        return np.ascontiguousarray(vector, np.float32)

    @contextmanager
    def _building(self) -> Iterator[Path]:
        with self._sealings.writing() as folder, _translated():
            yield folder

    def _opened(self, sealed: Sealed) -> State:
        sealed = self._tuned(sealed)
        last = Ordinal(int(sealed.ordinals[-1])) if len(sealed.ordinals) else Ordinal(0)
        tail = Tail.empty(self._dimension)
        return State(SealedView.of(sealed), tail, sealed.sequence, last)

    def _tuned(self, sealed: Sealed) -> Sealed:
        """The sealed index, searched as the settings have it now."""
        return replace(sealed, layout=searched_as(self._plan, sealed.layout))

    def _publish(self, folder: Path) -> None:
        sealed = self._sealings.publish(folder)
        if sealed.sequence <= self._state.watermark:
            self._take(sealed)

    def _take(self, sealed: Sealed) -> None:
        """Serve that sealed index: what it lacks is the tail, what died since is dead in it."""
        sealed.touch()
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
            self._state = State(view, tail, state.watermark, state.last)

    def _widened(self, folder: Path, probes: Sequence[Vectors]) -> tuple[Sealed, float]:
        """The index in the folder, searched as widely as its recall needs, and that recall."""
        sealed = open_sealed(folder)
        state = self._opened(sealed)
        yardstick, found = Yardstick(probes, state.view, state.tail), 1.0
        layouts = (
            wider_and_wider(self._plan, sealed.layout) if any(map(len, probes)) else [sealed.layout]
        )
        for layout in layouts:
            sealed = replace(sealed, layout=layout)
            found = yardstick.recall(self._searching(self._opened(sealed)))
            if found >= self._plan.recall:
                break
        write_layout(folder, sealed.layout)
        return sealed, found

    def _least(self, before: float, layout: Layout, serving: Layout) -> float:
        """The recall that an index must have to be published."""
        same = (layout.kind, layout.storage) == (serving.kind, serving.storage)
        return max(before if same else 0.0, self._plan.min_recall) - _NOISE

    def _recall(self, state: State, probes: Sequence[Vectors]) -> float:
        return Yardstick(probes, state.view, state.tail).recall(self._searching(state))

    def _searching(self, state: State) -> Search:
        return lambda probe, depth: self._search(state, probe, depth, None).scores


def _absent(ordinals: Ordinals, wanted: Ordinals) -> Ordinals:
    """Those of the ascending ``wanted`` that are not among the ascending ordinals."""
    known = ordinals[places_of(ordinals, wanted)]
    return np.setdiff1d(wanted, known, assume_unique=True)


def _ascend(last: Ordinal, ordinals: Ordinals) -> bool:
    return bool(ordinals[0] > last and np.all(np.diff(ordinals) > 0))
