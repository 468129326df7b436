"""Wait for progress, not for time: a busy machine makes a test slow and never wrong."""

import time
from collections.abc import Callable

HANG_SECONDS = 300.0
"""A test that makes no progress for so long hangs. No test measures anything by it."""


def until(holds: Callable[[], object], what: object = "") -> None:
    """Return once ``holds()`` is true; ``what`` is the message of the failure if it never is."""
    deadline = time.monotonic() + HANG_SECONDS
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
