"""Between the processes of one service: requests that only the writing one can answer go to it.

It listens on a socket in a folder that only this service can enter, beside the common address.
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
"""Headers of one connection. ``Transfer-Encoding`` stays with a request: it frames its body."""
_OURS = {b"x-forwarded-for", b"x-forwarded-proto", b"x-request-id"}
_NOT_RETURNED = _NOT_FORWARDED | {b"transfer-encoding", b"date"}


class Writer:
    """The process that writes, as the others see it."""

    def __init__(self, socket: Path, seconds: float) -> None:
        self._seconds = seconds
        self._pool = httpcore.AsyncConnectionPool(uds=str(socket), max_connections=None)

    async def answer(self, request: Request, *, writes: bool) -> Response:
        """Its answer to the request, which is passed on as it comes.

        Raises ``Overloaded`` while no process writes, as for a moment after one has ended, and
        where one is too late. What ``writes`` may take as long as it takes, once it has begun.
        """
        waits = ("connect", "pool") if writes else ("connect", "pool", "read")
        asked = httpcore.Request(
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
            answer = await self._pool.handle_async_request(asked)
        except httpcore.ConnectError:
            raise Overloaded("the process that writes is starting; try again") from None
        except httpcore.TimeoutException:
            told = f"the process that writes did not answer in {self._seconds:g} s, the limit"
            raise DeadlineExceeded(f"{told} (server.deadline_seconds)") from None
        except (httpcore.NetworkError, httpcore.RemoteProtocolError):
            told = (
                "the process that writes ended before its answer, perhaps after its work; ask again"
            )
            raise Overloaded(told) from None
        body = answer.aiter_stream()
        response = StreamingResponse(body, answer.status, background=BackgroundTask(answer.aclose))
        response.raw_headers = [h for h in answer.headers if h[0].lower() not in _NOT_RETURNED]
        return response

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()


@asynccontextmanager
async def taking_forwarded(
    app: ASGIApp, section: ServerSection, socket: Path
) -> AsyncIterator[None]:
    """Answer on that socket too; at the end, once what came by it is answered."""
    config = LimitedConfig(app, section, lifespan="off", uds=str(socket), forwarded_allow_ips="*")
    server = _Within(config)
    serving = asyncio.create_task(server.serve())
    try:
        yield
    finally:
        server.should_exit = True
        await serving


class _Within(uvicorn.Server):
    """A server beside another one in the same process, which takes the signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield


def _target(request: Request) -> bytes:
    """Path and query as they came, still encoded; what should have been is."""
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
