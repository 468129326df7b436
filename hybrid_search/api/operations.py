"""Routes and their description in one: what is served is what the OpenAPI document says."""

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

LEAST_RATE = 1024
"""Bytes a second that a body must come at, after a pause that is granted once."""
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
    statuses: tuple[int, ...] = (200,)
    """What success is answered with."""
    parameters: tuple[Parameter, ...] = ()
    bodies: tuple[tuple[str, Any], ...] = ()
    """(media type, type of its JSON or ``bytes``) of each body that is taken."""
    problems: tuple[int, ...] = ()
    max_body: int | None = None
    """Bytes of a body; ``None`` where the endpoint sets its own limits."""
    limited: bool = True
    """Whether it counts among the requests in flight; monitors are always let in."""
    by_writer: bool = False
    """Whether the process that writes answers it, though it changes nothing."""
    role: Role | None = "read"
    """What a caller's key must allow; ``None`` asks for no key."""

    @property
    def writes(self) -> bool:
        """Whether it changes what is stored."""
        return self.role not in {None, "read"} and self.method != "GET"


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
        service = service_of(request)
        if service.writer is not None and (operation.writes or operation.by_writer):
            request.scope["forwarded"] = True
            with _place(service, operation):
                return await service.writer.answer(request, writes=operation.writes)
        caller = service.access.admit(request, operation.role)
        request.scope["caller"] = caller
        if operation.bodies or operation.max_body is not None:
            request = _received(request, operation.max_body)
        with _place(service, operation):
            if operation.writes:
                return await _audited(request, operation)
            return await operation.endpoint(request)

    return Route(path, serve, methods=list(by_method))


def _place(service: Service, operation: Operation) -> AbstractContextManager[None]:
    """A place among the requests in flight, for those that are counted."""
    return service.admitted(bool(operation.bodies)) if operation.limited else nullcontext()


async def _audited(request: Request, operation: Operation) -> Response:
    """The answer, once the log of writes has a line of it."""
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
    return tuple(Parameter(n, told.get("description", ""), told) for n, told in fields.items())


def _received(request: Request, limit: int | None) -> Request:
    """The request, whose body is refused as soon as it is too large, or too slow to come."""
    announced, taken, waited = _announced(request), 0, 0.0
    seconds = service_of(request).engine.settings.server.body_seconds

    async def receive() -> Message:
        nonlocal taken, waited
        began = time.perf_counter()
        try:
            with fail_after(seconds):
                message = await request.receive()
        except TimeoutError:
            raise cut(408, f"body: nothing came for {seconds:g} s, the limit") from None
        # Only the client's pauses: while an upload is stored here, its body waits for us.
        waited += time.perf_counter() - began
        taken += len(message.get("body", b""))
        if limit is not None and max(announced, taken) > limit:
            raise cut(413, f"body: larger than {limit:,} bytes, the limit")
        if waited > seconds + taken / LEAST_RATE:
            raise cut(408, f"body: slower than {LEAST_RATE:,} bytes a second, the limit")
        return message

    return Request(request.scope, receive)


def cut(status: int, detail: str) -> HTTPException:
    """A refusal after which the connection is closed: the rest of the body is not waited for."""
    return HTTPException(status, detail, {"Connection": "close"})


def _announced(request: Request) -> int:
    """The length that the headers tell; the parser lets none but digits through."""
    return int(request.headers.get("content-length", "0"))
