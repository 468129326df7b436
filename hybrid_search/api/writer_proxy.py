"""Forwards requests to the writing process of the service.

That process listens on a Unix socket in a private folder, beside the public address.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from string import punctuation
from urllib.parse import quote

import httpcore
import uvicorn
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp

from hybrid_search.api.connection_limits import LimitedConfig
from hybrid_search.core.errors import DeadlineExceeded, Overloaded
from hybrid_search.settings.sections import ServerSection

_NOT_FORWARDED = {b"connection", b"expect", b"keep-alive", b"te", b"trailer", b"upgrade"}
"""Hop-by-hop headers. A request keeps ``Transfer-Encoding``, which frames its body."""
_OURS = {b"x-forwarded-for", b"x-forwarded-proto", b"x-request-id"}
_NOT_RETURNED = _NOT_FORWARDED | {b"transfer-encoding", b"date"}


class Writer:
    """Client of the writing process."""

    def __init__(self, socket: Path, seconds: float) -> None:
        self._seconds = seconds
        self._pool = httpcore.AsyncConnectionPool(uds=str(socket), max_connections=None)

    async def answer(self, request: Request, *, writes: bool) -> Response:
        """The response of the writing process, streamed.

        Raises ``Overloaded`` while no process writes, for example just after one has ended, and
        ``DeadlineExceeded`` for a late response. A request that ``writes`` has no deadline once it
        has begun.
        """
        waits = ("connect", "pool") if writes else ("connect", "pool", "read")
        forwarded = httpcore.Request(
            request.method,
            "http://writer/",
            headers=_headers(request),
            content=request.stream(),
            extensions={
                "target": _target(request),
                "timeout": dict.fromkeys(waits, self._seconds),
            },
        )
        try:
            answer = await self._pool.handle_async_request(forwarded)
        except httpcore.ConnectError:
            raise Overloaded("the writing process is starting; try again") from None
        except httpcore.TimeoutException:
            late = f"the writing process did not respond in {self._seconds:g} s, the limit"
            raise DeadlineExceeded(f"{late} (server.deadline_seconds)") from None
        except (httpcore.NetworkError, httpcore.RemoteProtocolError):
            lost = (
                "the writing process ended before it responded; the write may be stored; try again"
            )
            raise Overloaded(lost) from None
        body = answer.aiter_stream()
        response = StreamingResponse(body, answer.status, background=BackgroundTask(answer.aclose))
        response.raw_headers = [h for h in answer.headers if h[0].lower() not in _NOT_RETURNED]
        return response

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()


@asynccontextmanager
async def serving_socket(app: ASGIApp, section: ServerSection, socket: Path) -> AsyncIterator[None]:
    """Serve the application on that socket too; on exit, wait for its requests."""
    config = LimitedConfig(app, section, lifespan="off", uds=str(socket), forwarded_allow_ips="*")
    server = _Within(config)
    serving = asyncio.create_task(server.serve())
    try:
        yield
    finally:
        server.should_exit = True
        await serving


class _Within(uvicorn.Server):
    """A server in a process where another server handles the signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the other server."""
        yield


def _target(request: Request) -> bytes:
    """Path and query as received; characters that must be percent-encoded are."""
    path: bytes = request.scope["raw_path"]
    query: bytes = request.scope["query_string"]
    return quote(path + b"?" + query if query else path, safe=punctuation).encode("ascii")


def _headers(request: Request) -> list[tuple[bytes, bytes]]:
    left_out = _NOT_FORWARDED | _OURS
    kept = [(name, value) for name, value in request.headers.raw if name not in left_out]
    client = request.client.host if request.client else ""
    return [
        *kept,
        (b"X-Forwarded-For", client.encode("ascii")),
        (b"X-Forwarded-Proto", request.url.scheme.encode("ascii")),
        (b"X-Request-Id", request.scope["request_id"].encode("ascii")),
    ]
