"""Errors as RFC 9457 problem details: one handler for each branch of the error tree."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import NotRequired, cast

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler
from typing_extensions import TypedDict

from hybrid_search.core.errors import (
    IndexUnusable,
    InvalidInput,
    Overloaded,
    SearchError,
    StorageFull,
    UnknownAsset,
)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = "1"
_log = logging.getLogger("hybrid_search.web")


class ProblemJson(TypedDict):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    request_id: NotRequired[str]


def problem(
    status: int, title: str, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    """A problem details response; its ``type`` is derived from the title."""
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    content: ProblemJson = {
        "type": f"urn:hybrid-search:{name}",
        "title": title,
        "status": status,
        "detail": detail,
    }
    if request_id := structlog.contextvars.get_contextvars().get("request_id"):
        content["request_id"] = request_id
    return Response(orjson.dumps(content), status, dict(headers or {}), MEDIA_TYPE)


def handlers() -> dict[int | type[Exception], ExceptionHandler]:
    """Exception handlers by class; the most specific class is used."""
    return {
        InvalidInput: _invalid_input,
        UnknownAsset: _unknown_asset,
        Overloaded: _recorded(_overloaded),
        StorageFull: _recorded(_storage_full),
        IndexUnusable: _recorded(_index_unusable),
        SearchError: _recorded(_engine_failure),
        HTTPException: _http_exception,
        ClientDisconnect: _client_disconnect,
        Exception: _unexpected,
    }


def _recorded(handler: Callable[[Request, Exception], Response]) -> ExceptionHandler:
    """The handler, which also keeps the message for the status of the service."""

    def record(request: Request, failure: Exception) -> Response:
        request.scope["failure"] = str(failure)[:300]
        return handler(request, failure)

    return record


def _invalid_input(request: Request, failure: Exception) -> Response:
    title = re.sub(r"(?<!^)(?=[A-Z])", " ", type(failure).__name__).capitalize()
    return problem(422, title, str(failure))


def _unknown_asset(request: Request, failure: Exception) -> Response:
    return problem(404, "Unknown asset", str(failure))


def _overloaded(request: Request, failure: Exception) -> Response:
    seconds = cast(Overloaded, failure).retry_seconds
    return problem(503, "Overloaded", str(failure), {"Retry-After": str(seconds)})


def _storage_full(request: Request, failure: Exception) -> Response:
    _log.error("storage full: %s", failure)
    return problem(507, "Storage full", str(failure))


def _index_unusable(request: Request, failure: Exception) -> Response:
    _log.error("index unusable: %s", failure)
    return problem(503, "Index unusable", str(failure))


def _engine_failure(request: Request, failure: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=failure)
    return problem(500, "Engine failure", str(failure))


def _http_exception(request: Request, failure: Exception) -> Response:
    refused = cast(HTTPException, failure)
    title = HTTPStatus(refused.status_code).phrase
    return problem(refused.status_code, title, refused.detail, refused.headers)


def _client_disconnect(request: Request, failure: Exception) -> Response:
    """A response that nobody receives: the client has closed the connection."""
    return Response(status_code=400)


def _unexpected(request: Request, failure: Exception) -> Response:
    # Starlette logs the traceback; the client gets no internals.
    return problem(500, "Internal error", "the request failed; see the log of the service")
