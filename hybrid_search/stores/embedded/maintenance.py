"""Looking after a vector index: folding its tail, rebuilding it when it has drifted.

A rebuild is made from the catalog's vectors alone, beside the index that serves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from hybrid_search.core import Ordinal
from hybrid_search.core.errors import IndexLocked, SearchError
from hybrid_search.core.ports import NEWEST, Catalog, Rebuilt, Subject, VectorIndex, Vectors
from hybrid_search.stores.embedded.baseline_file import Calibrator

PROBES = 60
"""Pictures, and as many texts, by which the recall of a new index is checked."""
_GRACE = 5.0
"""Seconds that what runs may take to its end."""
_EVERY = 30.0
"""Seconds after which is looked without having been told."""
_GROWN, _CHANGED = 2.0, 1.1
"""By which factor an index grows until it is measured anew: while it is written, and at rest."""


class Upkeep:
    """Does for a vector index what is due."""

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
        """``texts`` embeds: searches for texts are the harder ones, and are checked as well.

        What is usual among the vectors is measured only with a ``calibrator``.
        """
        self._catalog = catalog
        self._index = index
        self._model = model
        self._texts = texts
        self._subject = subject
        self._calibrator = calibrator

    def tend(self) -> None:
        """Do what is due; of the index nothing while another process builds."""
        self._calibrate(_GROWN)
        try:
            match self._index.due():
                case "fold":
                    self._index.fold()
                case "rebuild":
                    self.rebuild()
                case None:
                    pass
        except IndexLocked:
            return

    def settle(self) -> None:
        """The same, after the last of many writes."""
        self._calibrate(_CHANGED)
        self.tend()

    def _calibrate(self, growth: float) -> None:
        if self._calibrator is not None and self._calibrator.due(growth):
            self._calibrator.calibrate()

    def rebuild(self, upto: Ordinal = NEWEST) -> Rebuilt:
        """Build the index anew from ordinals up to that one; it serves if it finds enough."""
        probes = self._probes()
        with self._catalog.live_vectors(self._model, Ordinal(0), self._subject, upto) as live:
            return self._index.rebuild(live, probes)

    def _probes(self) -> list[Vectors]:
        """Vectors of the subject, and of titles, spread over the corpus.

        Apart, for a search that does for pictures may miss a good part for texts.
        """
        newest = self._catalog.newest(10_000)
        places = np.linspace(0, len(newest) - 1, PROBES) if newest else ()
        chosen = [newest[int(place)] for place in places]
        digests = list(self._catalog.digests(chosen, self._subject).values())
        kinds = [np.array([*self._catalog.embeddings(self._model, digests).values()])]
        stored = self._catalog.fetch(chosen).values()
        titles = [version.asset.title for version in stored if version.asset.title]
        if self._texts is not None and titles:
            kinds.append(self._texts(titles))
        return kinds


class Worker(Protocol):
    """Something that is told of writes, and closed."""

    @property
    def failure(self) -> str:
        """Why the last attempt failed; empty when it did not."""
        ...

    def notify(self) -> None:
        """Something was written."""
        ...

    def settle(self) -> None:
        """Nothing more is written for a while."""
        ...

    def close(self) -> None:
        """Finish what runs."""
        ...


class AtOnce:
    """Tends after each write, for programs that end when they are done."""

    def __init__(self, upkeeps: Sequence[Upkeep]) -> None:
        self._upkeeps = upkeeps
        self.failure = ""
        """Always empty: a failure is raised."""

    def notify(self) -> None:
        """Do what is due before the next write."""
        for upkeep in self._upkeeps:
            upkeep.tend()

    def settle(self) -> None:
        """Do what is due before anything is asked."""
        for upkeep in self._upkeeps:
            upkeep.settle()

    def close(self) -> None:
        """Nothing runs."""


class InBackground:
    """Tends in a thread of its own, while searches and writes go on."""

    def __init__(self, upkeeps: Sequence[Upkeep]) -> None:
        self._upkeeps = upkeeps
        self._told = threading.Event()
        self._ending = threading.Event()
        self.failure = ""
        """Why the last attempt failed; empty when it did not."""
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)
        self._thread.start()

    def notify(self) -> None:
        """Look soon at what is due."""
        self._told.set()

    def settle(self) -> None:
        """Nothing: when it was not told for a while, the thread sees to that by itself."""

    def close(self) -> None:
        """Take up nothing more. What is being built aside would be thrown away, or done soon."""
        self._ending.set()
        self._told.set()
        self._thread.join(_GRACE)

    def _run(self) -> None:
        while not self._ending.is_set():
            told = self._told.wait(_EVERY)
            self._told.clear()
            if not self._ending.is_set():
                due = [upkeep.tend if told else upkeep.settle for upkeep in self._upkeeps]
                self.failure = "; ".join(filter(None, map(_attempt, due)))


def _attempt(due: Callable[[], None]) -> str:
    """Why what is due could not be done; empty when it could."""
    try:
        due()
    except SearchError as failure:
        return str(failure)
    return ""
