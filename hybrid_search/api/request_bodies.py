"""Request bodies."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request

from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.json_input import parse_model, read_json

_Model = TypeVar("_Model", bound=BaseModel)


def media_type(request: Request) -> str:
    """The media type of the body, without parameters; empty without a Content-Type."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def json_body(request: Request, model: type[_Model]) -> _Model:
    """The validated body; raises 415 for other media types, and ``InvalidQuery``."""
    media = media_type(request)
    if media != "application/json":
        raise HTTPException(415, f"Content-Type: {media or 'none'!r} is not application/json")
    return parse_model(model, read_json(await request.body()), InvalidQuery)
