"""What every endpoint needs: the engine, threads for blocking work, and limits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from anyio import CapacityLimiter, fail_after, to_thread
from starlette.requests import Request

from hybrid_search.assembly import Engine
from hybrid_search.audit import AUDIT, AuditLog
from hybrid_search.errors import DeadlineExceeded, Overloaded, SearchError
from hybrid_search.pacing import paced
from hybrid_search.sections import ServerSection
from hybrid_search.web.access import Access
from hybrid_search.web.metrics import Metrics

_Result = TypeVar("_Result")
WRITERS = 4
"""Threads that writes may hold: they queue for one lock, and searches must not wait behind."""


class Lane:
    """A few threads, and a queue before them that is bounded in length and in time."""

    def __init__(self, name: str, threads: int, section: ServerSection) -> None:
        self.name = name
        self._turns = CapacityLimiter(threads)
        self._threads = CapacityLimiter(threads)
        self._most = section.max_waiting
        self._seconds = section.deadline_seconds

    def waiting(self) -> int:
        """How many wait for their turn."""
        return self._turns.statistics().tasks_waiting

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """What ``work`` returns, run in a thread.

        Raises ``Overloaded`` when too many wait already, and ``DeadlineExceeded`` when its turn
        does not come in time: it is not run then.
        """
        turn = object()
        if self._turns.available_tokens < 1 and self.waiting() >= self._most:
            raise Overloaded(f"{self._most} {self.name} wait, the limit; try again")
        try:
            with fail_after(self._seconds):
                await self._turns.acquire_on_behalf_of(turn)
        except TimeoutError:
            raise DeadlineExceeded(
                f"{self.name}: no turn in {self._seconds:g} s, the limit; try again"
            ) from None
        try:
            return await to_thread.run_sync(work, limiter=self._threads)
        finally:
            self._turns.release_on_behalf_of(turn)


class Service:
    """One engine behind the routes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.metrics = Metrics(engine)
        self.access = Access(engine.settings)
        settings = engine.settings
        self.audit = AuditLog(settings.data_dir / AUDIT, settings.server.audit_mb)
        section = settings.server
        self._limit = section.max_in_flight + section.max_waiting
        self._deadline = section.deadline_seconds
        self._readers = Lane("reads", section.max_in_flight, section)
        self._writers = Lane("writes", WRITERS, section)
        self.metrics.watch({lane.name: lane.waiting for lane in (self._readers, self._writers)})
        self._in_flight = 0
        self._lacking: str | None = "the model is being loaded"

    async def read(self, work: Callable[[], _Result]) -> _Result:
        """What ``work`` returns, run in a thread; given up at the deadline."""
        began = time.perf_counter()

        def run() -> _Result:
            with paced(began, self._deadline, self.metrics.observe_stage):
                return work()

        return await self._readers.run(run)

    async def write(self, work: Callable[[], _Result]) -> _Result:
        """What ``work`` returns, run in one of the few threads for writes; once begun, it ends."""
        return await self._writers.run(work)

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """A place among the requests in flight; raises ``Overloaded`` when all are taken."""
        if self._in_flight >= self._limit:
            raise Overloaded(f"{self._limit} requests are here, the limit; try again")
        self._in_flight += 1
        self.metrics.in_flight.set(self._in_flight)
        try:
            yield
        finally:
            self._in_flight -= 1
            self.metrics.in_flight.set(self._in_flight)

    def warm_up(self) -> None:
        """Load model and dictionary aside, so that the first search need not wait."""
        threading.Thread(target=self._load, name="warm-up", daemon=True).start()

    def not_ready(self) -> str | None:
        """Why the service cannot answer at full speed yet; ``None`` when it can."""
        return self._lacking

    def _load(self) -> None:
        try:
            self.engine.warm_up()
        except SearchError as failure:
            self._lacking = str(failure)
        else:
            self._lacking = None


def service_of(request: Request) -> Service:
    """The service that the application of this request was made with."""
    service: Service = request.app.state.service
    return service
