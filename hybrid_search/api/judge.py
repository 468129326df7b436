"""Routes for relevance judgments."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from hybrid_search.api.operations import Operation, parameters_of
from hybrid_search.api.request_bodies import json_body
from hybrid_search.api.responses import json_response
from hybrid_search.api.service import Service, service_of
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.json_input import parse_model
from hybrid_search.engine.judgments import GRADES, Agreement, Judgment, Judgments, agreements, now
from hybrid_search.files.atomic_files import check_room


class JudgmentBody(BaseModel):
    """The relevance grade of an asset for a query."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    query: Annotated[str, Field(min_length=1, max_length=512)]
    """The text of the query."""
    asset: Annotated[str, Field(min_length=1, max_length=512)]
    """The id of the asset."""
    grade: Annotated[int, Field(ge=GRADES[0], le=GRADES[-1])]
    """0 not relevant, 1 slightly relevant, 2 relevant, 3 exactly what was searched."""
    judge: Annotated[str, Field(max_length=100)] = ""
    """The name of the judge; ignored when the request has a key, whose name counts."""


class JudgmentParameters(BaseModel):
    """Filters of the judgments."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    query: str = ""
    """Only those of this query."""
    judge: str = ""
    """Only those of this judge."""


class JudgmentJson(TypedDict):
    """The latest grade by one judge for an asset and a query."""

    query: str
    asset: str
    grade: int
    judge: str
    source: str
    at: str


class AgreementJson(TypedDict):
    """Agreement of two judges: the share of equal grades (``same``), and Cohen's weighted kappa."""

    judges: list[str]
    pairs: int
    same: float
    kappa: float


class JudgmentsJson(TypedDict):
    """Judgments in the order of their first grade."""

    judgments: list[JudgmentJson]
    agreement: list[AgreementJson]


def operations(max_body: int) -> list[Operation]:
    """The routes for judgments."""
    return [
        Operation(
            "GET",
            "/v1/judgments",
            "judgments",
            "List judgments, and how far the judges agree.",
            judgments,
            JudgmentsJson,
            parameters=parameters_of(JudgmentParameters),
            problems=(422, 500, 503),
        ),
        Operation(
            "PUT",
            "/v1/judgments",
            "judge",
            "Grade an asset for a query; a later grade by the same judge replaces it.",
            judge,
            JudgmentJson,
            bodies=(("application/json", JudgmentBody),),
            problems=(403, 404, 413, 415, 422, 500, 503, 507),
            max_body=max_body,
            role="write",
        ),
    ]


async def judgments(request: Request) -> Response:
    """The latest grade of each judge, and how far judges agree."""
    wanted = parse_model(JudgmentParameters, dict(request.query_params), InvalidQuery)
    service = service_of(request)

    def work() -> JudgmentsJson:
        found = [
            one
            for one in _judgments(service).current()
            if wanted.query in {"", one.query} and wanted.judge in {"", one.judge}
        ]
        return {
            "judgments": [_json(one) for one in found],
            "agreement": [_agreement(one) for one in agreements(found)],
        }

    return json_response(await service.read(work, request))


async def judge(request: Request) -> Response:
    """Store one judgment."""
    service, caller = service_of(request), request.scope["caller"]
    body = await json_body(request, JudgmentBody)
    name = caller.name if caller.keyed else body.judge or caller.name
    made = Judgment(body.query, body.asset, body.grade, name, "page", now())

    def work() -> None:
        if service.index.indexer is None:
            raise HTTPException(403, "this service is read-only")
        service.index.find(body.asset)
        settings = service.index.settings
        check_room(settings.data_dir, settings.storage.reserve_mb)
        _judgments(service).add([made])

    await service.write(work, request)
    return json_response(_json(made))


def _judgments(service: Service) -> Judgments:
    return Judgments(service.index.settings.data_dir)


def _json(one: Judgment) -> JudgmentJson:
    return {
        "query": one.query,
        "asset": one.asset,
        "grade": one.grade,
        "judge": one.judge,
        "source": one.source,
        "at": one.at,
    }


def _agreement(one: Agreement) -> AgreementJson:
    return {
        "judges": list(one.judges),
        "pairs": one.pairs,
        "same": one.same,
        "kappa": one.kappa,
    }
