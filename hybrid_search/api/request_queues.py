"""Thread pools for blocking work, each with a bounded queue."""

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
IsDisconnected = Callable[[], Awaitable[bool]]
"""Whether the client has closed the connection."""
MAX_RETRY_SECONDS = 60
"""Upper bound of Retry-After."""
_SMOOTHING = 8
"""Window of the moving average of the time that work takes."""


async def _never() -> bool:
    return False


class Lane:
    """A thread pool with a queue that is bounded in length and in waiting time."""

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
        """Number of requests in the queue."""
        return self._turns.statistics().tasks_waiting

    def retry_seconds(self) -> int:
        """Seconds until the queue is empty, at the average speed of recent work."""
        pace = (self.waiting() + 1) * self._mean / self._count
        return min(MAX_RETRY_SECONDS, max(1, math.ceil(pace)))

    async def run(
        self, work: Callable[[], _Result], is_disconnected: IsDisconnected = _never
    ) -> _Result:
        """Run ``work`` in a thread and return its result.

        Raises ``Overloaded`` when the queue is full, ``DeadlineExceeded`` after waiting too long,
        and ``ClientDisconnect`` when the client is gone before the work begins.
        """
        turn = object()
        await self._take(turn)
        began = time.perf_counter()
        try:
            if await is_disconnected():
                raise ClientDisconnect
            return await to_thread.run_sync(work, limiter=self._threads)
        finally:
            self._mean += (time.perf_counter() - began - self._mean) / _SMOOTHING
            self._turns.release_on_behalf_of(turn)

    async def _take(self, turn: object) -> None:
        if self._turns.available_tokens < 1 and self.waiting() >= self._most:
            detail = f"{self._most} {self.name} are waiting, the limit; try again"
            raise Overloaded(detail, self.retry_seconds())
        try:
            with self._shown.track_inprogress(), fail_after(self._seconds):
                await self._turns.acquire_on_behalf_of(turn)
        except TimeoutError:
            detail = f"{self.name}: waited {self._seconds:g} s, the limit; try again"
            raise DeadlineExceeded(detail, self.retry_seconds()) from None
