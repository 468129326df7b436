"""Queries in HTTP requests: by parameters, JSON, a picture's bytes or a form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from hybrid_search.api.operations import Parameter
from hybrid_search.api.request_bodies import media_type
from hybrid_search.api.schemas.parameters import (
    BY_LIST,
    REPEATED,
    SINGLE,
    WEIGHTED,
    query_from_parameters,
    weight_in,
)
from hybrid_search.api.schemas.queries import MAX_EXAMPLES, SearchBody, query_from_json
from hybrid_search.api.service import Service
from hybrid_search.core import Example, Query
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.json_input import read_json

MAX_FIELDS = 100
"""Fields of a form."""
QUERY_PROBLEMS = (404, 422, 500, 503)
QUERY_BODIES: tuple[tuple[str, Any], ...] = (
    ("application/json", SearchBody),
    ("image/*", bytes),
    ("multipart/form-data", bytes),
)
ToQuery = Callable[[Service], Query]
"""Parses the query in a worker thread, with the defaults of the service."""


def search_parameters() -> tuple[Parameter, ...]:
    """The parameters of a search, with the schemas of ``SearchBody``."""
    fields = SearchBody.model_json_schema()["properties"]
    single = [Parameter(n, fields[n].get("description", ""), fields[n]) for n in SINGLE]
    texts = {"type": "array", "items": {"type": "string"}}
    repeated = [Parameter(name, text, texts) for name, text in REPEATED.items()]
    lists = [Parameter(f"{n}.LIST", text, {"type": "number"}) for n, text in BY_LIST.items()]
    weighted = Parameter("like.WEIGHT", WEIGHTED, texts)
    return (*single, *repeated, weighted, *lists)


def query_of_parameters(request: Request) -> ToQuery:
    """The query of the query string."""
    pairs = request.query_params.multi_items()
    return lambda service: query_from_pairs(service, pairs)


async def query_of_body(request: Request) -> ToQuery:
    """The query of a body: JSON, a picture's bytes with a query string, or a form."""
    media = media_type(request)
    if media == "application/json":
        data = await request.body()
        return lambda service: _from_json(service, data)
    if media.startswith("image/") or media == "application/octet-stream":
        pairs, picture = request.query_params.multi_items(), Example(picture=await request.body())
        return lambda service: query_from_pairs(service, pairs, [picture])
    if media == "multipart/form-data":
        async with request.form(max_files=MAX_EXAMPLES, max_fields=MAX_FIELDS) as form:
            fields, pictures = await _parts(form)
        return lambda service: query_from_pairs(service, fields, pictures)
    supported = "application/json, image/* or multipart/form-data"
    raise HTTPException(415, f"Content-Type: {media or 'none'!r} is not supported; use {supported}")


def _from_json(service: Service, data: bytes) -> Query:
    return query_from_json(read_json(data), service.index.settings.fusion.settings())


def query_from_pairs(
    service: Service, pairs: list[tuple[str, str]], pictures: Sequence[Example] = ()
) -> Query:
    """The query of these parameters and pictures."""
    return query_from_parameters(pairs, service.index.settings.fusion.settings(), pictures)


async def _parts(form: FormData) -> tuple[list[tuple[str, str]], list[Example]]:
    """The fields and the pictures of a form; files are named ``image`` or ``image.WEIGHT``."""
    pairs, pictures = [], []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if name.partition(".")[0] != "image":
                raise InvalidQuery(f"{name[:60]!r}: a file of a form must be named image")
            pictures.append(Example(picture=await value.read(), weight=weight_in(name)))
        else:
            pairs.append((name, value))
    if not pairs and not pictures:
        # The parser returns nothing for a malformed form.
        raise HTTPException(400, "form: has no complete part")
    return pairs, pictures
