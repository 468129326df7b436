"""The ASGI application: routes, middleware and error handlers over one index."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from functools import cache
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from hybrid_search import __version__
from hybrid_search.api import (
    assets,
    audit,
    explain,
    judge,
    monitor,
    pools,
    query_log,
    search,
    sessions,
    write,
)
from hybrid_search.api.openapi import document
from hybrid_search.api.operations import Operation, routes
from hybrid_search.api.problems import handlers
from hybrid_search.api.request_middleware import RequestMiddleware
from hybrid_search.api.service import Service
from hybrid_search.api.writer_proxy import Writer, serving_socket
from hybrid_search.core.errors import InvalidConfig
from hybrid_search.engine.index import Index

PAGE = Path(__file__).parent / "page"


def create_app(index: Index, writer_socket: Path | None = None) -> Starlette:
    """The application over that index; it closes the index on shutdown.

    ``writer_socket`` connects the processes of one service: the writing process listens on it,
    and the others forward to it what they cannot answer.

    Raises ``InvalidConfig`` when traces are enabled and OpenTelemetry is not installed.
    """
    service = Service(index, _writer(index, writer_socket))
    if index.settings.server.traces:
        _enable_traces(service)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        service.warm_up()
        with index, closing(service):
            async with _forwarding(app, service, writer_socket):
                yield

    app = Starlette(
        routes=[
            *routes(api(index.settings.server.max_body_bytes)),
            Route("/", _page("index.html")),
            Route("/status", _page("status.html")),
            Route("/judge", _page("judge.html")),
            Mount("/static", StaticFiles(directory=PAGE), name="static"),
        ],
        middleware=[
            Middleware(RequestMiddleware, service),
            *_cors(index.settings.server.cors_origins),
        ],
        exception_handlers=handlers(),
        lifespan=lifespan,
    )
    app.state.service = service
    return app


def _writer(index: Index, socket: Path | None) -> Writer | None:
    """A client of the writing process; ``None`` in that process and where there is only one."""
    if socket is None or index.indexer is not None:
        return None
    return Writer(socket, index.settings.server.deadline_seconds)


@asynccontextmanager
async def _forwarding(app: ASGIApp, service: Service, socket: Path | None) -> AsyncIterator[None]:
    """Exchange requests with the other processes of the service, if there are any."""
    if service.writer is not None:
        yield
        await service.writer.close()
    elif socket is not None:
        async with serving_socket(app, service.index.settings.server, socket):
            yield
    else:
        yield


def _enable_traces(service: Service) -> None:
    try:
        # OpenTelemetry is an optional dependency.
        from hybrid_search.api.tracing import exporting, trace_requests
    except ImportError:
        raise InvalidConfig(
            "server.traces = true needs OpenTelemetry; run: pip install 'hybrid_search[otel]'"
        ) from None
    trace_requests(service, exporting())


def api(max_body: int) -> list[Operation]:
    """Every operation of the API."""

    @cache
    def described() -> dict[str, Any]:
        return document(api(max_body), __version__)

    return [
        *search.operations(max_body),
        *explain.operations(max_body),
        *assets.operations(),
        *write.operations(max_body),
        *pools.operations(),
        *judge.operations(max_body),
        *query_log.operations(max_body),
        *sessions.operations(),
        *audit.operations(),
        *monitor.operations(described),
    ]


def _cors(origins: Sequence[str]) -> list[Middleware]:
    """CORS middleware for the configured origins; none by default."""
    if not origins:
        return []
    headers = ["Authorization", "Content-Type", "X-API-Key", "X-Request-Id"]
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=headers,
            expose_headers=["ETag", "Retry-After", "X-Request-Id"],
        )
    ]


def _page(name: str) -> Callable[[Request], Awaitable[FileResponse]]:
    """An endpoint that returns that file of the page."""

    async def page(request: Request) -> FileResponse:
        return FileResponse(PAGE / name)

    return page
