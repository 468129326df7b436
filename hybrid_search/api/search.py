"""Routes that search: by parameters, JSON, a picture's bytes or a form."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from hybrid_search.api.operations import Operation, Parameter, parameters_of
from hybrid_search.api.query_log import log_search, with_search_id
from hybrid_search.api.query_requests import (
    QUERY_BODIES,
    QUERY_PROBLEMS,
    ToQuery,
    query_from_pairs,
    query_of_body,
    query_of_parameters,
    search_parameters,
)
from hybrid_search.api.responses import json_response
from hybrid_search.api.schemas.results import AnswerJson, answer_to_json
from hybrid_search.api.schemas.suggestions import SuggestionsJson, suggestions_to_json
from hybrid_search.api.service import service_of
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.json_input import parse_model


def operations(max_body: int) -> list[Operation]:
    """The routes that search."""
    parameters = search_parameters()
    return [*_searches(parameters, max_body), _suggestions()]


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
            problems=QUERY_PROBLEMS,
        ),
        Operation(
            "POST",
            "/v1/search",
            "searchByBody",
            "Search by words, by pictures, or by both.",
            search_by_body,
            AnswerJson,
            parameters=parameters,
            bodies=QUERY_BODIES,
            problems=(400, *QUERY_PROBLEMS, 413, 415),
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
            problems=QUERY_PROBLEMS,
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


class SuggestParameters(BaseModel):
    """Parameters of a suggestion."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    q: str
    """The text typed so far: words, incomplete syllables, initial consonants."""
    size: Annotated[int, Field(ge=1, le=50)] = 10
    """Largest number of completions."""


async def search_by_parameters(request: Request) -> Response:
    """Search by the query string."""
    return await _answer(request, query_of_parameters(request))


async def search_by_body(request: Request) -> Response:
    """Search by JSON, by one picture's bytes with a query string, or by a form."""
    return await _answer(request, await query_of_body(request))


async def suggest(request: Request) -> Response:
    """Complete and correct a text."""
    service, given = service_of(request), dict(request.query_params)
    body = parse_model(SuggestParameters, given, InvalidQuery)

    index = service.index
    found = await service.read(lambda: index.suggest(body.q, body.size), request)
    return json_response(suggestions_to_json(found))


async def similar(request: Request) -> Response:
    """Search by the picture of an indexed asset."""
    likeness = ("like", request.path_params["id"])
    pairs = [*request.query_params.multi_items(), likeness]
    return await _answer(request, lambda service: query_from_pairs(service, pairs))


async def _answer(request: Request, to_query: ToQuery) -> Response:
    """Parse, search and render in a thread, so that the event loop stays free."""
    service = service_of(request)

    def work() -> Response:
        query = with_search_id(service, to_query(service))
        answer = service.index.search(query)
        return json_response(answer_to_json(log_search(service, query, answer)))

    return await service.read(work, request)
