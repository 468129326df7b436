"""What was found damaged and put right, and where the damaged files went."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

KEPT = 5
"""Damaged folders that are kept for whoever wants to know what happened."""
_COMMAND = "; run: hybrid-search repair"
"""What a message of damage advises, and need not where it is being done."""
_log = logging.getLogger("hybrid_search.storage")


class Repairs:
    """The repairs of one start, in their order."""

    def __init__(self, aside: Path) -> None:
        """Damaged files go below ``aside``."""
        self._aside = aside
        self.done: list[str] = []
        """A sentence for each."""

    def note(self, what: str) -> None:
        """Tell of a repair; nothing where the sentence is empty."""
        if what:
            self.done.append(what.replace(_COMMAND, ""))
            _log.warning("repaired: %s", self.done[-1])

    def set_aside(self, damaged: Path) -> None:
        """Move a damaged file or folder out of the way; the oldest of many is removed."""
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        self._aside.mkdir(parents=True, exist_ok=True)
        kept = sorted(self._aside.iterdir())
        for old in kept[: max(0, len(kept) - KEPT + 1)]:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        damaged.rename(self._aside / f"{stamp}-{time.monotonic_ns() % 10**9:09d}-{damaged.name}")
