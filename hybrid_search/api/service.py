"""What every endpoint needs: the engine, threads for blocking work, and limits."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import TypeVar

from starlette.requests import Request
from starlette.types import Scope
from typing_extensions import TypedDict

from hybrid_search.api.auth import Access
from hybrid_search.api.metrics import Metrics
from hybrid_search.api.request_queues import Lane
from hybrid_search.api.writer_proxy import Writer
from hybrid_search.core.deadline import Observer, time_limit
from hybrid_search.core.errors import Overloaded, SearchError
from hybrid_search.engine.access.audit_log import AUDIT, AuditLog
from hybrid_search.engine.engine import Engine
from hybrid_search.engine.parts import open_query_log
from hybrid_search.search.query_logger import Feedback
from hybrid_search.settings.settings import Settings

_Result = TypeVar("_Result")
WRITERS = 4
"""Threads that writes may hold: they queue for one lock, and searches must not wait behind."""
UPLOADS = 4
"""Threads that uploads in bulk may hold, each as long as its client sends: writes have others."""
MONITORS = 2
"""Threads for monitors, who must hear how things are when all others are busy."""
FAILURES_KEPT = 20
"""Failures that are remembered for whoever asks how the service is."""
_KINDS = {False: "without a body", True: "with a body"}


class FailureJson(TypedDict):
    """A request that failed by no fault of whoever asked."""

    at: str
    operation: str
    status: int
    detail: str
    request_id: str


class LoadJson(TypedDict):
    """What this process of the service is busy with, and its last failures, newest first."""

    in_flight: int
    waiting: dict[str, int]
    failures: list[FailureJson]


class Service:
    """One engine behind the routes."""

    def __init__(self, engine: Engine, writer: Writer | None = None) -> None:
        self.engine = engine
        self.writer = writer
        """The process that writes, where another one of this service does."""
        self.metrics = Metrics(engine)
        self.access = Access(engine.settings)
        self.feedback = _feedback(engine.settings)
        """The log of searches, where one is wanted and can be written."""
        self.observers: list[Observer] = [self.metrics.observe_stage]
        """Who is told of each stage of a read."""
        self.around: Callable[[Scope], AbstractContextManager[object]] = nullcontext
        """Entered for the time of each request."""
        settings = engine.settings
        self.audit = AuditLog(settings.data_dir / AUDIT, settings.server.audit_mb)
        section = settings.server
        self._limit = section.max_in_flight + section.max_waiting
        self._deadline = section.deadline_seconds
        self._readers = self._lane("reads", section.max_in_flight)
        self._writers = self._lane("writes", WRITERS)
        self._uploads = self._lane("uploads", UPLOADS)
        self._monitors = self._lane("monitors", MONITORS)
        self._in_flight = {False: 0, True: 0}
        self.failures: deque[FailureJson] = deque(maxlen=FAILURES_KEPT)
        """The last requests that failed by no fault of whoever asked, oldest first."""
        self._lacking: str | None = "the model is being loaded"

    def _lane(self, name: str, threads: int) -> Lane:
        waiting = self.metrics.waiting.labels(name)
        return Lane(name, threads, self.engine.settings.server, waiting)

    async def read(self, work: Callable[[], _Result], request: Request) -> _Result:
        """What ``work`` returns, run in a thread; not once it is late or nobody waits for it."""
        began = time.perf_counter()

        def run() -> _Result:
            with time_limit(began, self._deadline, self._observe):
                return work()

        return await self._readers.run(run, request.is_disconnected)

    def _observe(self, stage: str, seconds: float) -> None:
        for observe in self.observers:
            observe(stage, seconds)

    async def write(self, work: Callable[[], _Result], request: Request | None = None) -> _Result:
        """What ``work`` returns, run in one of the few threads for writes; once begun, it ends.

        With a ``request`` it is not begun once nobody waits for it.
        """
        if request is None:
            return await self._writers.run(work)
        return await self._writers.run(work, request.is_disconnected)

    async def upload(self, work: Callable[[], _Result]) -> _Result:
        """What ``work`` returns, which reads a body while it comes."""
        return await self._uploads.run(work)

    async def look(self, work: Callable[[], _Result]) -> _Result:
        """What ``work`` returns, which a monitor wants to know however busy the service is."""
        return await self._monitors.run(work)

    @contextmanager
    def admitted(self, with_body: bool) -> Iterator[None]:
        """A place among the requests in flight; raises ``Overloaded`` when all are taken.

        Those with a body have their own: it may be long in coming, and is held in memory.
        """
        if self._in_flight[with_body] >= self._limit:
            told = f"{self._limit} requests {_KINDS[with_body]} are here, the limit; try again"
            raise Overloaded(told, self._readers.retry_seconds())
        self._count(with_body, 1)
        try:
            yield
        finally:
            self._count(with_body, -1)

    def _count(self, with_body: bool, more: int) -> None:
        self._in_flight[with_body] += more
        self.metrics.in_flight.inc(more)

    def failed(self, scope: Scope, operation: str, status: int) -> None:
        """Remember a request that failed by no fault of whoever asked."""
        told: FailureJson = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "operation": operation,
            "status": status,
            "detail": scope.get("failure", ""),
            "request_id": scope["request_id"],
        }
        self.failures.append(told)

    def load(self) -> LoadJson:
        """What it is busy with, as a JSON object."""
        lanes = (self._readers, self._writers, self._uploads, self._monitors)
        return {
            "in_flight": sum(self._in_flight.values()),
            "waiting": {lane.name: lane.waiting() for lane in lanes},
            "failures": list(self.failures)[::-1],
        }

    def close(self) -> None:
        """Write what waits."""
        if self.feedback is not None:
            self.feedback.close()

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


def _feedback(settings: Settings) -> Feedback | None:
    wanted = settings.feedback.log and os.access(settings.data_dir, os.W_OK)
    if not wanted:
        return None
    return Feedback(open_query_log(settings, write=True), settings.feedback.keep_days)


def service_of(request: Request) -> Service:
    """The service that the application of this request was made with."""
    service: Service = request.app.state.service
    return service
