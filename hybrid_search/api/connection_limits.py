"""Limits that uvicorn lacks: time and size of request headers, and number of connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hybrid_search.api.problems import MEDIA_TYPE, problem
from hybrid_search.settings.sections import ServerSection

_Late = Literal["headers", "rest", "answer"]
"""What a timer waits for: headers, the rest of a body after its response, or a slow reader."""


class LimitedConfig(uvicorn.Config):
    """Uvicorn's configuration with the connection limits of the settings."""

    def __init__(self, app: Any, limits: ServerSection, **options: Any) -> None:
        super().__init__(
            app,
            http=_LimitedProtocol,
            ws="none",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=limits.drain_seconds,
            **options,
        )
        self.limits = limits


class _LimitedProtocol(HttpToolsProtocol):
    """Rejects connections and headers over a limit with 431, 408 or 503, before any routing."""

    config: LimitedConfig
    _unfinished = 0
    """Bytes of incomplete headers since the last request."""
    _taken = 0
    """Bytes of this request's headers, trailers included."""

    @property
    def limits(self) -> ServerSection:
        """The limits of the settings."""
        return self.config.limits

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._timers: dict[_Late, asyncio.TimerHandle] = {}
        super().connection_made(transport)
        most = self.limits.max_connections
        if len(self.connections) > most:
            self._refuse(503, "Overloaded", f"{most} connections are open, the limit; try again")
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop(*self._timers)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if "headers" in self._timers:
            self._unfinished += len(data)
        super().data_received(data)
        if "headers" not in self._timers:
            self._watch_rest()
        elif self._unfinished > self.limits.max_header_bytes:
            self._refuse(431, "Request header fields too large", self._too_large())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._stop("rest")
        self._taken = 0
        self._watch()

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._taken += len(name) + len(value) + 4
        if "headers" not in self._timers and self._taken > self.limits.max_header_bytes:
            self._refuse(431, "Request header fields too large", self._too_large())

    def on_headers_complete(self) -> None:
        self._stop("headers")
        self._taken += len(self.url)
        served = self.app
        if self._taken > self.limits.max_header_bytes:
            self.app = _refusing(431, "Request header fields too large", self._too_large())
        try:
            super().on_headers_complete()
        finally:
            self.app = served

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start("answer", self.limits.body_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self._stop("answer")
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "Bad request", msg)

    def _watch(self) -> None:
        self._unfinished = 0
        self._start("headers", self.limits.header_seconds, self._too_slow)

    def _watch_rest(self) -> None:
        """Bound a body that goes on after its response; uvicorn would read it without end."""
        if self.cycle is not None and self.cycle.response_complete:
            self._start("rest", self.limits.body_seconds, self.transport.close)

    def _start(self, late: _Late, seconds: float, then: Callable[[], None]) -> None:
        if late not in self._timers and not self.transport.is_closing():
            self._timers[late] = self.loop.call_later(seconds, then)

    def _stop(self, *late: _Late) -> None:
        for name in late:
            if (timer := self._timers.pop(name, None)) is not None:
                timer.cancel()

    def _too_slow(self) -> None:
        seconds = self.limits.header_seconds
        detail = f"headers: incomplete after {seconds} s, the limit"
        self._refuse(408, "Request timeout", f"{detail} (server.header_seconds)")

    def _too_large(self) -> str:
        most = self.limits.max_header_bytes
        return f"headers: larger than {most:,} bytes, the limit (server.max_header_bytes)"

    def _refuse(self, status: int, title: str, detail: str) -> None:
        """Respond and close; only close when a response has already begun."""
        self._stop("headers", "rest")
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_raw(status, title, detail))
        self.transport.close()


def _raw(status: int, title: str, detail: str) -> bytes:
    """A whole HTTP response as bytes."""
    answer = problem(status, title, detail)
    retry = "Retry-After: 1\r\n" if status == 503 else ""
    head = (
        f"HTTP/1.1 {status} {title}\r\nContent-Type: {MEDIA_TYPE}\r\n{retry}"
        f"Content-Length: {len(answer.body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + bytes(answer.body)


def _refusing(status: int, title: str, detail: str) -> Any:
    """An ASGI application that responds with this problem and closes the connection."""

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await problem(status, title, detail, {"Connection": "close"})(scope, receive, send)

    return refuse
