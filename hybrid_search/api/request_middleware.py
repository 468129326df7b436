"""Middleware: request ids, timing, access log, and security headers."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hybrid_search.api.service import Service

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
"""A page may load the files of this service only."""
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = structlog.get_logger("hybrid_search.requests")


class RequestMiddleware:
    """Gives each request an id, measures and logs it, and adds security headers."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service
        self._logged = service.index.settings.server.log_requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, seen = time.perf_counter(), [0]
        scope["request_id"] = _id_of(scope)
        named = structlog.contextvars.bound_contextvars(request_id=scope["request_id"])
        with named, self._service.around(scope):
            try:
                await self._app(scope, receive, _with_headers(send, seen, scope))
            except Exception as failure:
                # Starlette answers unexpected errors outside of this middleware.
                seen[0] = seen[0] or 500
                scope["failure"] = type(failure).__name__
                raise
            finally:
                self._finish(scope, seen[0], time.perf_counter() - started)

    def _finish(self, scope: Scope, status: int, seconds: float) -> None:
        name = scope.get("operation", "page")
        scope["status"] = status
        if "forwarded" in scope:
            return  # counted and logged by the writing process
        self._service.metrics.observe(name, status, seconds)
        if status >= 500 and "failure" in scope:
            self._service.record_failure(scope, name, status)
        if self._logged:
            caller = scope.get("caller")
            _log.info(
                "request",
                method=scope["method"],
                operation=name,
                status=status,
                ms=round(seconds * 1000, 1),
                key=caller.name if caller else None,
                client=scope["client"][0] if scope.get("client") else None,
            )


def _id_of(scope: Scope) -> str:
    """The client's X-Request-Id if it is valid, else a new id."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _ID.fullmatch(given) else uuid.uuid4().hex


def _with_headers(send: Send, seen: list[int], scope: Scope) -> Callable[[Message], Any]:
    """``send`` that adds the headers and stores the status in ``seen``."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            seen[0] = message["status"]
            headers = MutableHeaders(scope=message)
            headers.setdefault("Content-Security-Policy", POLICY)
            if scope["path"].startswith("/v1/"):
                headers.setdefault("Cache-Control", "no-store")
            headers["X-Request-Id"] = scope["request_id"]
            for name, value in _ALWAYS.items():
                headers[name] = value
        await send(message)

    return send_with_headers
