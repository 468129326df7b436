"""Routes and their description in one: what is served is what the OpenAPI document says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hybrid_search.web.service import service_of

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query string, or a header."""

    name: str
    says: str
    schema: dict[str, Any]
    place: str = "query"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    """In Starlette's spelling; ``{id:path}`` lets an id hold slashes."""
    name: str
    summary: str
    endpoint: Endpoint
    answer: Any = None
    """The type of the JSON answer; ``None`` where ``media`` says what comes."""
    media: str = "application/json"
    status: int = 200
    parameters: tuple[Parameter, ...] = ()
    bodies: tuple[tuple[str, Any], ...] = ()
    """(media type, type of its JSON or ``bytes``) of each body that is taken."""
    problems: tuple[int, ...] = ()
    max_body: int | None = None
    """Bytes of a body; ``None`` where the endpoint sets its own limits."""
    limited: bool = True
    """Whether it counts among the requests in flight; monitors are always let in."""


def routes(operations: Sequence[Operation]) -> list[Route]:
    """One route a path, its operations by method, in the order of their first mention."""
    places = {path: at for at, path in reversed(list(enumerate(o.path for o in operations)))}
    ordered = sorted(operations, key=lambda operation: places[operation.path])
    return [_route(path, list(same)) for path, same in groupby(ordered, lambda o: o.path)]


def _route(path: str, operations: list[Operation]) -> Route:
    by_method = {operation.method: operation for operation in operations}

    async def serve(request: Request) -> Response:
        operation = by_method["GET" if request.method == "HEAD" else request.method]
        request.scope["operation"] = operation.name
        if not operation.limited:
            return await operation.endpoint(request)
        with service_of(request).admitted():
            return await operation.endpoint(request)

    limits = {operation.max_body for operation in operations if operation.method != "GET"}
    limit = next(iter(limits)) if len(limits) == 1 else None
    return Route(path, serve, methods=list(by_method), max_body_size=limit)
