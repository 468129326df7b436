"""What every endpoint needs: the engine, threads for blocking work, and limits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request

from hybrid_search.assembly import Engine
from hybrid_search.audit import AUDIT, AuditLog
from hybrid_search.errors import Overloaded, SearchError
from hybrid_search.web.access import Access
from hybrid_search.web.metrics import Metrics

_Result = TypeVar("_Result")
WRITERS = 4
"""Threads that writes may hold: they queue for one lock, and searches must not wait behind."""


class Service:
    """One engine behind the routes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.metrics = Metrics(engine)
        self.access = Access(engine.settings)
        settings = engine.settings
        self.audit = AuditLog(settings.data_dir / AUDIT, settings.server.audit_mb)
        self._limit = engine.settings.server.max_in_flight
        self._readers = CapacityLimiter(self._limit)
        self._writers = CapacityLimiter(WRITERS)
        self._in_flight = 0
        self._lacking: str | None = "the model is being loaded"

    async def read(self, work: Callable[[], _Result]) -> _Result:
        """What ``work`` returns, run in a thread."""
        return await to_thread.run_sync(work, limiter=self._readers)

    async def write(self, work: Callable[[], _Result]) -> _Result:
        """What ``work`` returns, run in one of the few threads for writes."""
        return await to_thread.run_sync(work, limiter=self._writers)

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """A place among the requests in flight; raises ``Overloaded`` when all are taken."""
        if self._in_flight >= self._limit:
            raise Overloaded(f"{self._limit} requests are in flight, the limit; try again")
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
