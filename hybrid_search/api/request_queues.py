"""Threads for blocking work, and the bounded queues before them."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from anyio import CapacityLimiter, fail_after, to_thread
from prometheus_client import Gauge
from starlette.requests import ClientDisconnect

from hybrid_search.core.errors import DeadlineExceeded, Overloaded
from hybrid_search.settings.sections import ServerSection

_Result = TypeVar("_Result")
Gone = Callable[[], Awaitable[bool]]
"""Whether whoever asked has closed the connection."""
LONGEST_PAUSE = 60
"""Seconds after which a client is told to come again, at most."""
_SMOOTHING = 8
"""Pieces of work over which their mean time is remembered."""


async def _never() -> bool:
    return False


class Lane:
    """A few threads, and a queue before them that is bounded in length and in time."""

    def __init__(self, name: str, threads: int, section: ServerSection, waiting: Gauge) -> None:
        self.name = name
        self._count = threads
        self._turns = CapacityLimiter(threads)
        self._threads = CapacityLimiter(threads)
        self._most = section.max_waiting
        self._seconds = section.deadline_seconds
        self._mean = 0.0
        self._shown = waiting

    def waiting(self) -> int:
        """How many wait for their turn."""
        return self._turns.statistics().tasks_waiting

    def retry_seconds(self) -> int:
        """When a turn may be had: after all that wait, at the pace of the last work."""
        pace = (self.waiting() + 1) * self._mean / self._count
        return min(LONGEST_PAUSE, max(1, math.ceil(pace)))

    async def run(self, work: Callable[[], _Result], gone: Gone = _never) -> _Result:
        """What ``work`` returns, run in a thread.

        Raises ``Overloaded`` when too many wait already, ``DeadlineExceeded`` when its turn does
        not come in time, and ``ClientDisconnect`` when nobody waits for it by then: it is not run.
        """
        turn = object()
        await self._take(turn)
        began = time.perf_counter()
        try:
            if await gone():
                raise ClientDisconnect
            return await to_thread.run_sync(work, limiter=self._threads)
        finally:
            self._mean += (time.perf_counter() - began - self._mean) / _SMOOTHING
            self._turns.release_on_behalf_of(turn)

    async def _take(self, turn: object) -> None:
        if self._turns.available_tokens < 1 and self.waiting() >= self._most:
            told = f"{self._most} {self.name} wait, the limit; try again"
            raise Overloaded(told, self.retry_seconds())
        try:
            with self._shown.track_inprogress(), fail_after(self._seconds):
                await self._turns.acquire_on_behalf_of(turn)
        except TimeoutError:
            told = f"{self.name}: no turn in {self._seconds:g} s, the limit; try again"
            raise DeadlineExceeded(told, self.retry_seconds()) from None
