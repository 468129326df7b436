"""What uvicorn leaves open: how long and how large a request's headers may be, how many connect."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hybrid_search.sections import ServerSection
from hybrid_search.web.problems import MEDIA_TYPE, problem


def guarded_by(section: ServerSection) -> type[HttpToolsProtocol]:
    """The protocol of one connection, within the limits of the settings."""

    class Guarded(_Guarded):
        limits = section

    return Guarded


class _Guarded(HttpToolsProtocol):
    """Refuses with 431, 408 and 503 what takes too much, before a request has come to be."""

    limits: ServerSection
    _unfinished = 0
    """Bytes since the last request that were no whole headers yet."""
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        most = self.limits.max_connections
        if len(self.connections) > most:
            self._refuse(503, "Overloaded", f"{most} connections are open, the limit; try again")
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        waiting = self._timer is not None
        if waiting:
            self._unfinished += len(data)
        super().data_received(data)
        if self._timer is not None and self._unfinished > self.limits.max_header_bytes:
            self._refuse(431, "Request header fields too large", self._too_large())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._watch()

    def on_headers_complete(self) -> None:
        self._rest()
        taken = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        served = self.app
        if taken > self.limits.max_header_bytes:
            self.app = _refusing(431, "Request header fields too large", self._too_large())
        try:
            super().on_headers_complete()
        finally:
            self.app = served

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "Bad request", msg)

    def _watch(self) -> None:
        self._unfinished = 0
        if self._timer is None:
            self._timer = self.loop.call_later(self.limits.header_seconds, self._too_slow)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        seconds = self.limits.header_seconds
        detail = f"headers: not whole after {seconds} s, the limit"
        self._refuse(408, "Request timeout", f"{detail} (server.header_seconds)")

    def _too_large(self) -> str:
        most = self.limits.max_header_bytes
        return f"headers: larger than {most:,} bytes, the limit (server.max_header_bytes)"

    def _refuse(self, status: int, title: str, detail: str) -> None:
        """Answer and close; nothing, where an answer is under way already."""
        self._rest()
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_raw(status, title, detail))
        self.transport.close()


def _raw(status: int, title: str, detail: str) -> bytes:
    answer = problem(status, title, detail)
    retry = "Retry-After: 1\r\n" if status == 503 else ""
    head = (
        f"HTTP/1.1 {status} {title}\r\nContent-Type: {MEDIA_TYPE}\r\n{retry}"
        f"Content-Length: {len(answer.body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + bytes(answer.body)


def _refusing(status: int, title: str, detail: str) -> Any:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await problem(status, title, detail, {"Connection": "close"})(scope, receive, send)

    return refuse
