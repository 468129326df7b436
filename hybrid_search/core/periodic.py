"""Work that is repeated in a background thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self


class Periodic:
    """Calls a function at an interval in seconds, in a thread of its own."""

    def __init__(self, work: Callable[[], None], every: float) -> None:
        self._work, self._every = work, every
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="periodic", daemon=True)

    def start(self) -> Self:
        """Begin; the first call is made after one interval."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop, after a call in progress has finished."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(self._every):
            self._work()
