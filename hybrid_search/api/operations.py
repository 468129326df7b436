"""Operations: one record defines both a route and its OpenAPI description."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from anyio import fail_after
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message

from hybrid_search.api.service import Service, service_of
from hybrid_search.engine.access.api_keys import Role

MIN_BYTES_PER_SECOND = 1024
"""The lowest rate of a body in bytes a second; the time limit of a pause is granted on top."""
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query string, or a header."""

    name: str
    description: str
    schema: dict[str, Any]
    place: str = "query"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    """A Starlette path; ``{id:path}`` matches ids with slashes."""
    name: str
    summary: str
    endpoint: Endpoint
    answer: Any = None
    """The type of the JSON response; ``None`` for other media."""
    media: str = "application/json"
    statuses: tuple[int, ...] = (200,)
    """Statuses of success."""
    parameters: tuple[Parameter, ...] = ()
    bodies: tuple[tuple[str, Any], ...] = ()
    """(media type, type of its JSON or ``bytes``) of each accepted body."""
    problems: tuple[int, ...] = ()
    max_body: int | None = None
    """Largest body in bytes; ``None`` where the endpoint has its own limits."""
    limited: bool = True
    """Whether the limit of requests in flight applies; it does not for monitoring."""
    by_writer: bool = False
    """Whether the writing process answers it, although it only reads."""
    role: Role | None = "read"
    """The role that a key needs; ``None`` needs no key."""

    @property
    def writes(self) -> bool:
        """Whether it changes what is stored."""
        return self.role not in {None, "read"} and self.method != "GET"


def routes(operations: Sequence[Operation]) -> list[Route]:
    """One route for each path, in the order of the first operation with that path."""
    places = {path: at for at, path in reversed(list(enumerate(o.path for o in operations)))}
    ordered = sorted(operations, key=lambda operation: places[operation.path])
    return [_route(path, list(same)) for path, same in groupby(ordered, lambda o: o.path)]


def _route(path: str, operations: list[Operation]) -> Route:
    by_method = {operation.method: operation for operation in operations}

    async def serve(request: Request) -> Response:
        operation = by_method["GET" if request.method == "HEAD" else request.method]
        request.scope["operation"] = operation.name
        service = service_of(request)
        if service.writer is not None and (operation.writes or operation.by_writer):
            request.scope["forwarded"] = True
            with _counted(service, operation):
                return await service.writer.answer(request, writes=operation.writes)
        caller = service.access.admit(request, operation.role)
        request.scope["caller"] = caller
        if operation.bodies or operation.max_body is not None:
            request = _bounded(request, operation.max_body)
        with _counted(service, operation):
            if operation.writes:
                return await _audited(request, operation)
            return await operation.endpoint(request)

    return Route(path, serve, methods=list(by_method))


def _counted(service: Service, operation: Operation) -> AbstractContextManager[None]:
    """Count the request among those in flight, where the limit applies."""
    return service.admitted(bool(operation.bodies)) if operation.limited else nullcontext()


async def _audited(request: Request, operation: Operation) -> Response:
    """The response, after the audit log has recorded the request."""
    service, caller, status = service_of(request), request.scope["caller"], 0
    try:
        response = await operation.endpoint(request)
        status = response.status_code
    except Exception as failure:
        request.scope["audited"] = {"failure": type(failure).__name__}
        raise
    finally:
        facts = {
            "action": operation.name,
            "key": caller.name,
            "role": caller.role,
            "request_id": request.scope["request_id"],
            "subject": request.path_params.get("id"),
            "status": status or None,
            **request.scope.get("audited", {}),
        }
        await service.write(lambda: service.audit.record(**facts))
    return response


def parameters_of(model: type[BaseModel]) -> tuple[Parameter, ...]:
    """Every field of the model as a parameter."""
    fields = model.model_json_schema()["properties"]
    return tuple(Parameter(n, one.get("description", ""), one) for n, one in fields.items())


def _bounded(request: Request, limit: int | None) -> Request:
    """The request with a body that fails with 413 or 408 once it is too large or too slow."""
    declared, received, waited = _declared_length(request), 0, 0.0
    seconds = service_of(request).index.settings.server.body_seconds

    async def receive() -> Message:
        nonlocal received, waited
        began = time.perf_counter()
        try:
            with fail_after(seconds):
                message = await request.receive()
        except TimeoutError:
            raise closing_error(408, f"body: no data for {seconds:g} s, the limit") from None
        # Only the time spent waiting for the client counts.
        waited += time.perf_counter() - began
        received += len(message.get("body", b""))
        if limit is not None and max(declared, received) > limit:
            raise closing_error(413, f"body: larger than {limit:,} bytes, the limit")
        if waited > seconds + received / MIN_BYTES_PER_SECOND:
            raise closing_error(
                408, f"body: slower than {MIN_BYTES_PER_SECOND:,} bytes a second, the limit"
            )
        return message

    return Request(request.scope, receive)


def closing_error(status: int, detail: str) -> HTTPException:
    """An error that also closes the connection, because the body was not read to its end."""
    return HTTPException(status, detail, {"Connection": "close"})


def _declared_length(request: Request) -> int:
    """The declared length of the body; the parser accepts digits only."""
    return int(request.headers.get("content-length", "0"))
