"""A log of repairs, and the quarantine folder for damaged files."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

KEPT = 5
"""Number of damaged files and folders that are kept for inspection."""
_ADVICE = "; run: hybrid-search repair"
"""Advice in error messages, which is left out where the repair is already under way."""
_log = logging.getLogger("hybrid_search.storage")


class Repairs:
    """The repairs of one run, in order."""

    def __init__(self, aside: Path) -> None:
        """``aside`` is the quarantine folder."""
        self._aside = aside
        self.done: list[str] = []
        """One sentence for each repair."""

    def note(self, what: str) -> None:
        """Record and log a repair; an empty sentence is ignored."""
        if what:
            self.done.append(what.replace(_ADVICE, ""))
            _log.warning("repaired: %s", self.done[-1])

    def set_aside(self, damaged: Path) -> None:
        """Move a damaged file or folder to the quarantine; above ``KEPT`` the oldest is removed."""
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        self._aside.mkdir(parents=True, exist_ok=True)
        kept = sorted(self._aside.iterdir())
        for old in kept[: max(0, len(kept) - KEPT + 1)]:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        damaged.rename(self._aside / f"{stamp}-{time.monotonic_ns() % 10**9:09d}-{damaged.name}")
