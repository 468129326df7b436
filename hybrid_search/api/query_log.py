"""Routes for clicks, and for results of the query log."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Annotated
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from hybrid_search.api.operations import Operation
from hybrid_search.api.request_bodies import json_body
from hybrid_search.api.responses import json_response
from hybrid_search.api.schemas.interleaving import InterleavedJson, interleaved_to_json
from hybrid_search.api.schemas.queries import SearchId
from hybrid_search.api.service import Service, service_of
from hybrid_search.core import AssetId, Note, Query, SearchResult
from hybrid_search.engine.parts import open_query_log
from hybrid_search.search.query_logger import interleaved

_NO_LOG = "this service keeps no query log; set feedback.log = true to keep one"


class ClickBody(BaseModel):
    """A click on a hit."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    search_id: SearchId
    """The ``search_id`` of the answer with the hit."""
    asset: Annotated[str, Field(min_length=1, max_length=512)]
    """The id of the asset."""


class ClickJson(TypedDict):
    """An accepted click."""

    search_id: str
    asset: str


class FeedbackJson(TypedDict):
    """The size of the query log, and the results of interleaving."""

    log: bool
    searches: int
    interleaving: list[InterleavedJson]


def operations(max_body: int) -> list[Operation]:
    """The routes of the query log."""
    return [
        Operation(
            "POST",
            "/v1/clicks",
            "click",
            "Log a click on a hit, without the user.",
            click,
            ClickJson,
            statuses=(202,),
            bodies=(("application/json", ClickBody),),
            problems=(403, 413, 415, 422, 500, 503),
            max_body=max_body,
        ),
        Operation(
            "GET",
            "/v1/feedback",
            "feedback",
            "Read the size of the query log, and which of two configurations gets more clicks.",
            feedback,
            FeedbackJson,
            problems=(500, 503),
        ),
    ]


async def click(request: Request) -> Response:
    """Accept a click; it is written within two seconds."""
    body = await json_body(request, ClickBody)
    log = service_of(request).feedback
    if log is None:
        raise HTTPException(403, _NO_LOG)
    log.clicked(body.search_id, AssetId(body.asset))
    click: ClickJson = {"search_id": body.search_id, "asset": body.asset}
    return json_response(click, 202)


async def feedback(request: Request) -> Response:
    """The state of the query log."""
    service = service_of(request)

    def work() -> FeedbackJson:
        with closing(open_query_log(service.index.settings, write=False)) as log:
            return {
                "log": service.feedback is not None,
                "searches": log.count(),
                "interleaving": [
                    interleaved_to_json(one) for one in interleaved(log.searches(mixed=True))
                ],
            }

    return json_response(await service.read(work, request))


def with_search_id(service: Service, query: Query) -> Query:
    """The query with an id for the log; without one when there is no log."""
    if service.feedback is None:
        return replace(query, search_id=None)
    fresh = query.search_id is None and query.cursor is None
    return replace(query, search_id=uuid4().hex) if fresh else query


def log_search(service: Service, query: Query, answer: SearchResult) -> SearchResult:
    """Log the search if the query asks for it; the answer has a note when there is no log."""
    if not query.log:
        return answer
    if service.feedback is None:
        return replace(
            answer, notes=(*answer.notes, Note("log_disabled", {"setting": "feedback.log"}))
        )
    service.feedback.searched(query, answer)
    return answer
