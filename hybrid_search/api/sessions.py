"""Signing in from a browser, which cannot send a key with a picture; and the log of writes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from hybrid_search.api.auth import COOKIE
from hybrid_search.api.operations import Operation, parameters_of
from hybrid_search.api.responses import json_response
from hybrid_search.api.service import service_of
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.json_input import parse_model, read_json
from hybrid_search.engine.access.api_keys import Role

_DAYS = 30


class SessionBody(BaseModel):
    """What signs a browser in."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    key: Annotated[str, Field(max_length=200)]
    """An API key."""


class SessionJson(TypedDict):
    """Who asks, and what they may do.

    ``keyed`` is false where no key is asked for: then everybody on the machine may do everything.
    """

    name: str
    role: Role
    keyed: bool


class AuditParameters(BaseModel):
    """How much of the log is wanted."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    size: Annotated[int, Field(ge=1, le=1000)] = 100
    """Lines, newest first."""


class AuditJson(TypedDict):
    """The last writes, newest first."""

    lines: list[dict[str, Any]]


def operations() -> list[Operation]:
    """The routes of sessions and of the log."""
    return [
        Operation(
            "POST",
            "/v1/session",
            "signIn",
            "Let a browser in by a key; answers with a cookie.",
            sign_in,
            SessionJson,
            bodies=(("application/json", SessionBody),),
            problems=(401, 413, 422, 429, 500, 503),
            max_body=4096,
            role=None,
        ),
        Operation(
            "GET",
            "/v1/session",
            "session",
            "Who asks, and what they may do.",
            session,
            SessionJson,
            problems=(500, 503),
        ),
        Operation(
            "DELETE",
            "/v1/session",
            "signOut",
            "Forget the browser.",
            sign_out,
            statuses=(204,),
            role=None,
        ),
        Operation(
            "GET",
            "/v1/audit",
            "audit",
            "Who wrote what, newest first.",
            audit,
            AuditJson,
            parameters=parameters_of(AuditParameters),
            problems=(422, 500, 503),
            role="admin",
        ),
    ]


async def sign_in(request: Request) -> Response:
    """Check the key, and have the browser keep it where no script can read it."""
    body = parse_model(SessionBody, read_json(await request.body()), InvalidQuery)
    address = request.client.host if request.client else ""
    key = service_of(request).access.known(body.key, address)
    signed: SessionJson = {"name": key.name, "role": key.role, "keyed": True}
    response = json_response(signed)
    response.set_cookie(
        COOKIE,
        body.key,
        max_age=_DAYS * 86400,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


async def session(request: Request) -> Response:
    """The caller, by key or by address."""
    caller = request.scope["caller"]
    told: SessionJson = {"name": caller.name, "role": caller.role, "keyed": caller.keyed}
    return json_response(told)


async def sign_out(request: Request) -> Response:
    """Have the browser forget the key."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


async def audit(request: Request) -> Response:
    """The last lines of the log."""
    service = service_of(request)
    asked = parse_model(AuditParameters, dict(request.query_params), InvalidQuery)
    lines = await service.read(lambda: service.audit.newest(asked.size), request)
    return json_response({"lines": lines})
