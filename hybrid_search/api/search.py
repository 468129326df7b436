"""Routes that search: by parameters, JSON, a picture's bytes or a form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hybrid_search.api.operations import Operation, Parameter, parameters_of
from hybrid_search.api.query_log import log_search, with_search_id
from hybrid_search.api.request_bodies import media_type
from hybrid_search.api.responses import json_response
from hybrid_search.api.schemas.explanations import ExplanationJson, explanation_to_json
from hybrid_search.api.schemas.parameters import (
    BY_LIST,
    REPEATED,
    SINGLE,
    WEIGHTED,
    query_from_parameters,
    weight_in,
)
from hybrid_search.api.schemas.queries import MAX_EXAMPLES, SearchBody, query_from_json
from hybrid_search.api.schemas.results import AnswerJson, answer_to_json
from hybrid_search.api.schemas.suggestions import SuggestionsJson, suggestions_to_json
from hybrid_search.api.service import Service, service_of
from hybrid_search.core import AssetId, Example, Query
from hybrid_search.core.errors import InvalidQuery, UnknownAsset
from hybrid_search.core.json_input import parse_model, read_json
from hybrid_search.search.explain import explain

MAX_FIELDS = 100
_PROBLEMS = (404, 422, 500, 503)
_EXPLAIN = "/v1/assets/{id:path}/explain"
_BODIES: tuple[tuple[str, Any], ...] = (
    ("application/json", SearchBody),
    ("image/*", bytes),
    ("multipart/form-data", bytes),
)


def operations(max_body: int) -> list[Operation]:
    """The routes that search."""
    parameters = search_parameters()
    return [*_searches(parameters, max_body), *_explanations(parameters, max_body), _suggestions()]


def _searches(parameters: tuple[Parameter, ...], max_body: int) -> list[Operation]:
    return [
        Operation(
            "GET",
            "/v1/search",
            "search",
            "Search by words, or by indexed assets as examples.",
            search_by_parameters,
            AnswerJson,
            parameters=parameters,
            problems=_PROBLEMS,
        ),
        Operation(
            "POST",
            "/v1/search",
            "searchByBody",
            "Search by words, by pictures, or by both.",
            search_by_body,
            AnswerJson,
            parameters=parameters,
            bodies=_BODIES,
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
    ]


def _explanations(parameters: tuple[Parameter, ...], max_body: int) -> list[Operation]:
    return [
        Operation(
            "GET",
            _EXPLAIN,
            "explain",
            "Explain the rank of this asset in a search, or why it is not found.",
            explain_by_parameters,
            ExplanationJson,
            parameters=parameters,
            problems=_PROBLEMS,
        ),
        Operation(
            "POST",
            _EXPLAIN,
            "explainByBody",
            "Explain the rank of this asset in a search that is sent as a body.",
            explain_by_body,
            ExplanationJson,
            parameters=parameters,
            bodies=_BODIES,
            problems=(400, *_PROBLEMS, 413, 415),
            max_body=max_body,
        ),
    ]


def _suggestions() -> Operation:
    return Operation(
        "GET",
        "/v1/suggest",
        "suggest",
        "Complete and correct a text while it is typed.",
        suggest,
        SuggestionsJson,
        parameters=parameters_of(SuggestParameters),
        problems=(422, 500, 503),
    )


_ToQuery = Callable[[Service], Query]


class SuggestParameters(BaseModel):
    """Parameters of a suggestion."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    q: str
    """The text typed so far: words, incomplete syllables, initial consonants."""
    size: Annotated[int, Field(ge=1, le=50)] = 10
    """Largest number of completions."""


def search_parameters() -> tuple[Parameter, ...]:
    """The parameters of a search, with the schemas of ``SearchBody``."""
    fields = SearchBody.model_json_schema()["properties"]
    single = [Parameter(n, fields[n].get("description", ""), fields[n]) for n in SINGLE]
    texts = {"type": "array", "items": {"type": "string"}}
    repeated = [Parameter(name, text, texts) for name, text in REPEATED.items()]
    lists = [Parameter(f"{n}.LIST", text, {"type": "number"}) for n, text in BY_LIST.items()]
    weighted = Parameter("like.WEIGHT", WEIGHTED, texts)
    return (*single, *repeated, weighted, *lists)


async def search_by_parameters(request: Request) -> Response:
    """Search by the query string."""
    return await _answer(request, _in_parameters(request))


async def search_by_body(request: Request) -> Response:
    """Search by JSON, by one picture's bytes with a query string, or by a form."""
    return await _answer(request, await _in_body(request))


async def explain_by_parameters(request: Request) -> Response:
    """Explain the rank of one asset in a search by the query string."""
    return await _explain(request, _in_parameters(request))


async def explain_by_body(request: Request) -> Response:
    """Explain the rank of one asset in a search by a body."""
    return await _explain(request, await _in_body(request))


def _in_parameters(request: Request) -> _ToQuery:
    pairs = request.query_params.multi_items()
    return lambda service: _from_pairs(service, pairs)


async def _in_body(request: Request) -> _ToQuery:
    media = media_type(request)
    if media == "application/json":
        data = await request.body()
        return lambda service: _from_json(service, data)
    if media.startswith("image/") or media == "application/octet-stream":
        pairs, picture = request.query_params.multi_items(), Example(picture=await request.body())
        return lambda service: _from_pairs(service, pairs, [picture])
    if media == "multipart/form-data":
        async with request.form(max_files=MAX_EXAMPLES, max_fields=MAX_FIELDS) as form:
            fields, pictures = await _parts(form)
        return lambda service: _from_pairs(service, fields, pictures)
    supported = "application/json, image/* or multipart/form-data"
    raise HTTPException(415, f"Content-Type: {media or 'none'!r} is not supported; use {supported}")


async def suggest(request: Request) -> Response:
    """Complete and correct a text."""
    service, given = service_of(request), dict(request.query_params)
    body = parse_model(SuggestParameters, given, InvalidQuery)

    searcher = service.engine.searcher
    found = await service.read(lambda: searcher.suggest(body.q, body.size), request)
    return json_response(suggestions_to_json(found))


async def similar(request: Request) -> Response:
    """Search by the picture of an indexed asset."""
    likeness = ("like", request.path_params["id"])
    pairs = [*request.query_params.multi_items(), likeness]
    return await _answer(request, lambda service: _from_pairs(service, pairs))


async def _answer(request: Request, to_query: _ToQuery) -> Response:
    """Parse, search and render in a thread, so that the event loop stays free."""
    service = service_of(request)

    def work() -> Response:
        query = with_search_id(service, to_query(service))
        answer = service.engine.searcher.search(query)
        return json_response(answer_to_json(log_search(service, query, answer)))

    return await service.read(work, request)


async def _explain(request: Request, to_query: _ToQuery) -> Response:
    service, asset_id = service_of(request), AssetId(request.path_params["id"])

    def work() -> Response:
        engine = service.engine
        stored = engine.catalog.find(asset_id)
        if stored is None:
            raise UnknownAsset(f"no asset has the id {asset_id[:100]!r}")
        explained = explain(engine.searcher, to_query(service), stored)
        return json_response(explanation_to_json(explained))

    return await service.read(work, request)


def _from_json(service: Service, data: bytes) -> Query:
    return query_from_json(read_json(data), service.engine.settings.fusion.settings())


def _from_pairs(
    service: Service, pairs: list[tuple[str, str]], pictures: Sequence[Example] = ()
) -> Query:
    return query_from_parameters(pairs, service.engine.settings.fusion.settings(), pictures)


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
