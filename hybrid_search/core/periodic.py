"""Work that is done again and again, aside."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Periodic:
    """Does something again and again in a thread of its own."""

    def __init__(self, work: Callable[[], None], every: float) -> None:
        self._work, self._every = work, every
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follow", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take up nothing more; what is under way comes to its end."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(self._every):
            self._work()
