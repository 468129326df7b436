"""Maintenance of vector indexes: merge the write buffer, rebuild after drift, measure baselines.

A rebuild reads the catalog's vectors alone and works beside the segment that serves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import numpy as np

from hybrid_search.core import Ordinal
from hybrid_search.core.errors import IndexLocked, SearchError
from hybrid_search.core.ports import NEWEST, Catalog, Rebuilt, Subject, VectorIndex, Vectors
from hybrid_search.stores.embedded.baseline_file import Calibrator

MaintenanceMode = Literal["inline", "thread"]
"""Where maintenance runs: ``inline`` after each write, or in a ``thread`` of its own."""
PROBES = 60
"""The number of pictures, and of titles, that measure the recall of a new segment."""
_GRACE = 5.0
"""Seconds that running work may take to end when it is closed."""
_EVERY = 30.0
"""Seconds between two checks without a write."""
_GROWN, _CHANGED = 2.0, 1.1
"""The growth of an index that makes a new baseline due: during writes, and after the last."""


class IndexMaintenance:
    """The maintenance of one vector index."""

    def __init__(
        self,
        catalog: Catalog,
        index: VectorIndex,
        model: str,
        texts: Callable[[list[str]], Vectors] | None = None,
        subject: Subject = "picture",
        *,
        calibrator: Calibrator | None = None,
    ) -> None:
        """``texts`` embeds titles, which are harder queries than pictures, to measure recall.

        Without a ``calibrator`` no baseline is measured.
        """
        self._catalog = catalog
        self._index = index
        self._model = model
        self._texts = texts
        self._subject = subject
        self._calibrator = calibrator

    def run_due(self) -> None:
        """Do what is due; no merge or rebuild while another process does one."""
        self._calibrate(_GROWN)
        try:
            match self._index.due():
                case "merge":
                    self._index.merge()
                case "rebuild":
                    self.rebuild()
                case None:
                    pass
        except IndexLocked:
            return

    def run_idle(self) -> None:
        """Do what is due after the last of many writes."""
        self._calibrate(_CHANGED)
        self.run_due()

    def _calibrate(self, growth: float) -> None:
        if self._calibrator is not None and self._calibrator.due(growth):
            self._calibrator.calibrate()

    def rebuild(self, upto: Ordinal = NEWEST) -> Rebuilt:
        """Rebuild the index from live vectors with ordinals up to ``upto``."""
        probes = self._probes()
        with self._catalog.live_vectors(self._model, Ordinal(0), self._subject, upto) as live:
            return self._index.rebuild(live, probes)

    def _probes(self) -> list[Vectors]:
        """Vectors of the subject, and of titles, spread over the corpus.

        They are kept apart: a breadth that suffices for pictures may miss many for texts.
        """
        newest = self._catalog.newest(10_000)
        places = np.linspace(0, len(newest) - 1, PROBES) if newest else ()
        chosen = [newest[int(place)] for place in places]
        digests = list(self._catalog.digests(chosen, self._model, self._subject).values())
        kinds = [np.array([*self._catalog.embeddings(self._model, digests).values()])]
        stored = self._catalog.fetch(chosen).values()
        titles = [version.asset.title for version in stored if version.asset.title]
        if self._texts is not None and titles:
            kinds.append(self._texts(titles))
        return kinds


class MaintenanceRunner(Protocol):
    """Runs the maintenance of several indexes after writes."""

    @property
    def failure(self) -> str:
        """Why the last run failed; empty when it did not."""
        ...

    def notify(self) -> None:
        """Something was written."""
        ...

    def settle(self) -> None:
        """No more writes are expected for a while."""
        ...

    def close(self) -> None:
        """Stop, after what runs."""
        ...


class InlineMaintenance:
    """Runs in the caller's thread after each write, for programs that end when they are done."""

    def __init__(self, indexes: Sequence[IndexMaintenance]) -> None:
        self._indexes = indexes
        self.failure = ""
        """Always empty: a failure is raised."""

    def notify(self) -> None:
        """Do what is due before the next write."""
        for index in self._indexes:
            index.run_due()

    def settle(self) -> None:
        """Do what is due before the next search."""
        for index in self._indexes:
            index.run_idle()

    def close(self) -> None:
        """Nothing runs."""


class ThreadMaintenance:
    """Runs in a thread of its own, while searches and writes go on."""

    def __init__(self, indexes: Sequence[IndexMaintenance]) -> None:
        self._indexes = indexes
        self._notified = threading.Event()
        self._ending = threading.Event()
        self.failure = ""
        """Why the last run failed; empty when it did not."""
        self._thread = threading.Thread(target=self._run, name="maintenance", daemon=True)
        self._thread.start()

    def notify(self) -> None:
        """Do what is due soon."""
        self._notified.set()

    def settle(self) -> None:
        """Nothing: the thread runs by itself when there was no write for a while."""

    def close(self) -> None:
        """Start nothing more, and wait a few seconds for what runs.

        A segment that is still being built then is discarded.
        """
        self._ending.set()
        self._notified.set()
        self._thread.join(_GRACE)

    def _run(self) -> None:
        while not self._ending.is_set():
            notified = self._notified.wait(_EVERY)
            self._notified.clear()
            if not self._ending.is_set():
                due = [index.run_due if notified else index.run_idle for index in self._indexes]
                self.failure = "; ".join(filter(None, map(_attempt, due)))


def _attempt(due: Callable[[], None]) -> str:
    """Why the run failed; empty when it did not."""
    try:
        due()
    except SearchError as failure:
        return str(failure)
    return ""
