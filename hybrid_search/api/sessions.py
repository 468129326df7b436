"""Routes for browser sessions.

A browser cannot send a header with ``<img>``, so it keeps the key in a cookie.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from hybrid_search.api.auth import COOKIE
from hybrid_search.api.operations import Operation
from hybrid_search.api.responses import json_response
from hybrid_search.api.service import service_of
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.json_input import parse_model, read_json
from hybrid_search.engine.access.api_keys import Role

_DAYS = 30


class SessionBody(BaseModel):
    """A sign-in."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    key: Annotated[str, Field(max_length=200)]
    """An API key."""


class SessionJson(TypedDict):
    """The caller and its role.

    ``keyed`` is false where no API keys exist: then every user of the machine is ``admin``.
    """

    name: str
    role: Role
    keyed: bool


def operations() -> list[Operation]:
    """The routes for sessions."""
    return [
        Operation(
            "POST",
            "/v1/session",
            "signIn",
            "Sign a browser in: sets a cookie with the API key.",
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
            "Read the name and the role of the caller.",
            session,
            SessionJson,
            problems=(500, 503),
        ),
        Operation(
            "DELETE",
            "/v1/session",
            "signOut",
            "Sign a browser out: clears the cookie.",
            sign_out,
            statuses=(204,),
            role=None,
        ),
    ]


async def sign_in(request: Request) -> Response:
    """Check the key and set it as a cookie that scripts cannot read."""
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
    """The caller."""
    caller = request.scope["caller"]
    content: SessionJson = {"name": caller.name, "role": caller.role, "keyed": caller.keyed}
    return json_response(content)


async def sign_out(request: Request) -> Response:
    """Clear the cookie."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
