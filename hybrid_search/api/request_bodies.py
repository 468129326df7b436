"""Bodies that several endpoints take."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request

from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.json_input import parse_model, read_json

_Model = TypeVar("_Model", bound=BaseModel)


def media_type(request: Request) -> str:
    """What the body is, without its parameters; empty where that is not said."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def json_body(request: Request, model: type[_Model]) -> _Model:
    """The body, checked; 415 for another media type, ``InvalidQuery`` that names what is wrong."""
    media = media_type(request)
    if media != "application/json":
        raise HTTPException(415, f"Content-Type: {media or 'none'!r} is not application/json")
    return parse_model(model, read_json(await request.body()), InvalidQuery)
