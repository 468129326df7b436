"""The application: routes over one engine, with headers, metrics and problem details."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import FileResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hybrid_search import __version__
from hybrid_search.assembly import Engine
from hybrid_search.web import assets, monitoring, searching
from hybrid_search.web.openapi import document
from hybrid_search.web.operations import Operation, routes
from hybrid_search.web.problems import handlers
from hybrid_search.web.service import Service

PAGE = Path(__file__).parent / "page"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""What a page of this service may load: its own files and nothing else."""


def create_app(engine: Engine) -> Starlette:
    """The application over that engine, which it closes when it stops."""
    service = Service(engine)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        service.warm_up()
        with engine:
            yield

    app = Starlette(
        routes=[
            *routes(api(engine.settings.server.max_body_bytes)),
            Route("/", _index),
            Mount("/static", StaticFiles(directory=PAGE), name="static"),
        ],
        middleware=[Middleware(_Observed, service)],
        exception_handlers=handlers(),
        lifespan=lifespan,
    )
    app.state.service = service
    return app


def api(max_body: int) -> list[Operation]:
    """Every operation of the API."""

    @cache
    def described() -> dict[str, Any]:
        return document(api(max_body), __version__)

    return [
        *searching.operations(max_body),
        *assets.operations(max_body),
        *monitoring.operations(described),
    ]


async def _index(request: object) -> FileResponse:
    return FileResponse(PAGE / "index.html")


class _Observed:
    """Times every request, and gives every answer the headers that keep a browser safe."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, seen = time.perf_counter(), [0]
        try:
            await self._app(scope, receive, _guarded(send, seen))
        finally:
            name = scope.get("operation", "page")
            self._service.metrics.observe(name, seen[0], time.perf_counter() - started)


def _guarded(send: Send, seen: list[int]) -> Callable[[Message], Any]:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            seen[0] = message["status"]
            headers = MutableHeaders(scope=message)
            headers.setdefault("Content-Security-Policy", POLICY)
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "no-referrer"
        await send(message)

    return guarded
