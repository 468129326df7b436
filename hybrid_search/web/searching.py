"""Searches: words, pictures, or both, as parameters, JSON, raw bytes or a form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hybrid_search.errors import InvalidQuery
from hybrid_search.records import Query
from hybrid_search.web.answers import json_response
from hybrid_search.web.operations import Operation, Parameter, parameters_of
from hybrid_search.web.service import Service, service_of
from hybrid_search.wire.answers import AnswerJson, SuggestionsJson, answer_to_json
from hybrid_search.wire.assets import parse_model, read_json
from hybrid_search.wire.parameters import BY_LIST, REPEATED, SINGLE, query_from_parameters
from hybrid_search.wire.queries import MAX_EXAMPLES, SearchBody, query_from_json

MAX_FIELDS = 100
_PROBLEMS = (404, 422, 500, 503)


def operations(max_body: int) -> list[Operation]:
    """The routes that search."""
    parameters = search_parameters()
    return [
        Operation(
            "GET",
            "/v1/search",
            "search",
            "Find assets by words, or like indexed ones.",
            search_by_parameters,
            AnswerJson,
            parameters=parameters,
            problems=_PROBLEMS,
        ),
        Operation(
            "POST",
            "/v1/search",
            "searchByBody",
            "Find assets by words, by pictures, or by both.",
            search_by_body,
            AnswerJson,
            parameters=parameters,
            bodies=(
                ("application/json", SearchBody),
                ("image/*", bytes),
                ("multipart/form-data", bytes),
            ),
            problems=(400, *_PROBLEMS, 413, 415),
            max_body=max_body,
        ),
        Operation(
            "GET",
            "/v1/assets/{id:path}/similar",
            "similar",
            "Find assets that look like this one.",
            similar,
            AnswerJson,
            parameters=tuple(p for p in parameters if p.name not in {"q", "mode"}),
            problems=_PROBLEMS,
        ),
        Operation(
            "GET",
            "/v1/suggest",
            "suggest",
            "Complete what is being typed, and correct it.",
            suggest,
            SuggestionsJson,
            parameters=parameters_of(SuggestParameters),
            problems=(422, 500, 503),
        ),
    ]


class SuggestParameters(BaseModel):
    """What is completed."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    q: str
    """What was typed so far: words, unfinished syllables, initial consonants."""
    size: Annotated[int, Field(ge=1, le=50)] = 10
    """Completions wanted."""


def search_parameters() -> tuple[Parameter, ...]:
    """What a query string can say, with the schemas of the model that checks it."""
    fields = SearchBody.model_json_schema()["properties"]
    single = [Parameter(n, fields[n].get("description", ""), fields[n]) for n in SINGLE]
    texts = {"type": "array", "items": {"type": "string"}}
    repeated = [Parameter(name, says, texts) for name, says in REPEATED.items()]
    lists = [Parameter(f"{n}.LIST", says, {"type": "number"}) for n, says in BY_LIST.items()]
    return (*single, *repeated, *lists)


async def search_by_parameters(request: Request) -> Response:
    """Search by the query string."""
    pairs = request.query_params.multi_items()
    return await _answer(request, lambda service: _from_pairs(service, pairs))


async def search_by_body(request: Request) -> Response:
    """Search by JSON, by one picture's bytes with a query string, or by a form."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == "application/json":
        data = await request.body()
        return await _answer(request, lambda service: _from_json(service, data))
    if media.startswith("image/") or media == "application/octet-stream":
        pairs, picture = request.query_params.multi_items(), await request.body()
        return await _answer(request, lambda service: _from_pairs(service, pairs, [picture]))
    if media == "multipart/form-data":
        async with request.form(max_files=MAX_EXAMPLES, max_fields=MAX_FIELDS) as form:
            pairs, pictures = await _parts(form)
        return await _answer(request, lambda service: _from_pairs(service, pairs, pictures))
    taken = "application/json, image/*, multipart/form-data"
    raise HTTPException(415, f"Content-Type: {media or 'none'!r} is not taken; one of {taken} is")


async def suggest(request: Request) -> Response:
    """Complete and correct what is being typed."""
    service, given = service_of(request), dict(request.query_params)
    body = parse_model(SuggestParameters, given, InvalidQuery)

    searcher = service.engine.searcher
    found = await service.read(lambda: searcher.suggest(body.q, body.size), request)
    return json_response(found.as_json())


async def similar(request: Request) -> Response:
    """Search by the picture of an indexed asset."""
    likeness = ("like", request.path_params["id"])
    pairs = [*request.query_params.multi_items(), likeness]
    return await _answer(request, lambda service: _from_pairs(service, pairs))


async def _answer(request: Request, to_query: Callable[[Service], Query]) -> Response:
    """Parse, search and render in one thread: a slow encode never holds up the others."""
    service = service_of(request)

    def work() -> Response:
        answer = service.engine.searcher.search(to_query(service))
        return json_response(answer_to_json(answer))

    return await service.read(work, request)


def _from_json(service: Service, data: bytes) -> Query:
    return query_from_json(read_json(data), service.engine.settings.fusion.settings())


def _from_pairs(
    service: Service, pairs: list[tuple[str, str]], pictures: Sequence[bytes] = ()
) -> Query:
    return query_from_parameters(pairs, service.engine.settings.fusion.settings(), pictures)


async def _parts(form: FormData) -> tuple[list[tuple[str, str]], list[bytes]]:
    """A form's fields, and the bytes of its files, which must be named ``image``."""
    pairs, pictures = [], []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if name != "image":
                raise InvalidQuery(f"{name[:60]!r}: files of a form must be named image")
            pictures.append(await value.read())
        else:
            pairs.append((name, value))
    if not pairs and not pictures:
        # What a broken form looks like once it was parsed.
        raise HTTPException(400, "form: holds no whole part")
    return pairs, pictures
