"""What endpoints share: the index, thread pools, limits, access and metrics."""

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
from hybrid_search.engine.index import Index
from hybrid_search.engine.parts import open_query_log
from hybrid_search.search.query_logger import QueryLogger
from hybrid_search.settings.settings import Settings

_Result = TypeVar("_Result")
WRITE_THREADS = 4
"""Writes wait for one lock; own threads keep them from blocking searches."""
UPLOAD_THREADS = 4
"""A bulk upload holds its thread as long as its client sends; own threads keep writes free."""
MONITOR_THREADS = 2
"""Monitoring must respond while all other threads are busy."""
FAILURES_KEPT = 20
"""Failures that the status lists."""
_KINDS = {False: "without a body", True: "with a body"}


class FailureJson(TypedDict):
    """A request that failed with a status of 500 or above."""

    at: str
    operation: str
    status: int
    detail: str
    request_id: str


class LoadJson(TypedDict):
    """The load of this process, and its last failures, newest first."""

    in_flight: int
    waiting: dict[str, int]
    failures: list[FailureJson]


class Service:
    """One index behind the routes."""

    def __init__(self, index: Index, writer: Writer | None = None) -> None:
        self.index = index
        self.writer = writer
        """Client of the writing process, where that is another process."""
        self.metrics = Metrics(index)
        self.access = Access(index.settings)
        self.feedback = _feedback(index.settings)
        """The query log, where it is enabled and can be written."""
        self.observers: list[Observer] = [self.metrics.observe_stage]
        """Called with name and duration of each stage of a search."""
        self.around: Callable[[Scope], AbstractContextManager[object]] = nullcontext
        """A context that wraps each request."""
        settings = index.settings
        self.audit = AuditLog(settings.data_dir / AUDIT, settings.server.audit_mb)
        section = settings.server
        self._limit = section.max_in_flight + section.max_waiting
        self._deadline = section.deadline_seconds
        self._readers = self._lane("reads", section.max_in_flight)
        self._writers = self._lane("writes", WRITE_THREADS)
        self._uploads = self._lane("uploads", UPLOAD_THREADS)
        self._monitors = self._lane("monitors", MONITOR_THREADS)
        self._in_flight = {False: 0, True: 0}
        self.failures: deque[FailureJson] = deque(maxlen=FAILURES_KEPT)
        """The last requests that failed with a status of 500 or above, oldest first."""
        self._not_ready: str | None = "the model is being loaded"

    def _lane(self, name: str, threads: int) -> Lane:
        waiting = self.metrics.waiting.labels(name)
        return Lane(name, threads, self.index.settings.server, waiting)

    async def read(self, work: Callable[[], _Result], request: Request) -> _Result:
        """Run ``work`` in a thread, unless the deadline has passed or the client is gone."""
        began = time.perf_counter()

        def run() -> _Result:
            with time_limit(began, self._deadline, self._observe):
                return work()

        return await self._readers.run(run, request.is_disconnected)

    def _observe(self, stage: str, seconds: float) -> None:
        for observe in self.observers:
            observe(stage, seconds)

    async def write(self, work: Callable[[], _Result], request: Request | None = None) -> _Result:
        """Run ``work`` in a thread for writes; it is never interrupted.

        With a ``request`` it is not begun when the client is gone.
        """
        if request is None:
            return await self._writers.run(work)
        return await self._writers.run(work, request.is_disconnected)

    async def upload(self, work: Callable[[], _Result]) -> _Result:
        """Run ``work``, which reads a body while it arrives."""
        return await self._uploads.run(work)

    async def monitor(self, work: Callable[[], _Result]) -> _Result:
        """Run ``work`` in a thread for monitoring, however busy the others are."""
        return await self._monitors.run(work)

    @contextmanager
    def admitted(self, with_body: bool) -> Iterator[None]:
        """Count a request in flight; raises ``Overloaded`` at the limit.

        Requests with a body have a limit of their own, since bodies arrive slowly and use memory.
        """
        if self._in_flight[with_body] >= self._limit:
            detail = f"{self._limit} requests {_KINDS[with_body]} in flight, the limit; try again"
            raise Overloaded(detail, self._readers.retry_seconds())
        self._count(with_body, 1)
        try:
            yield
        finally:
            self._count(with_body, -1)

    def _count(self, with_body: bool, more: int) -> None:
        self._in_flight[with_body] += more
        self.metrics.in_flight.inc(more)

    def record_failure(self, scope: Scope, operation: str, status: int) -> None:
        """Keep a request that failed with a status of 500 or above, for the status."""
        failure: FailureJson = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "operation": operation,
            "status": status,
            "detail": scope.get("failure", ""),
            "request_id": scope["request_id"],
        }
        self.failures.append(failure)

    def load(self) -> LoadJson:
        """The load of this process as a JSON object."""
        lanes = (self._readers, self._writers, self._uploads, self._monitors)
        return {
            "in_flight": sum(self._in_flight.values()),
            "waiting": {lane.name: lane.waiting() for lane in lanes},
            "failures": list(self.failures)[::-1],
        }

    def close(self) -> None:
        """Write the query log."""
        if self.feedback is not None:
            self.feedback.close()

    def warm_up(self) -> None:
        """Load model and dictionary in the background."""
        threading.Thread(target=self._load, name="warm-up", daemon=True).start()

    def not_ready(self) -> str | None:
        """Why the service is not ready; ``None`` when it is."""
        return self._not_ready

    def _load(self) -> None:
        try:
            self.index.warm_up()
        except SearchError as failure:
            self._not_ready = str(failure)
        else:
            self._not_ready = None


def _feedback(settings: Settings) -> QueryLogger | None:
    wanted = settings.feedback.log and os.access(settings.data_dir, os.W_OK)
    if not wanted:
        return None
    return QueryLogger(open_query_log(settings, write=True), settings.feedback.keep_days)


def service_of(request: Request) -> Service:
    """The service of the application that handles this request."""
    service: Service = request.app.state.service
    return service
