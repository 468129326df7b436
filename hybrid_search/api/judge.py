"""Routes for relevance judgments and the pools to judge."""

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
from hybrid_search.core import AssetId
from hybrid_search.core.errors import InvalidQuery, UnknownAsset
from hybrid_search.core.json_input import parse_model
from hybrid_search.engine.judgment_pools import Pools
from hybrid_search.engine.judgments import GRADES, Judgment, Judgments, agreements, now
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


class PoolJson(TypedDict):
    """The size of a pool: its queries, and its candidates over all queries."""

    name: str
    queries: int
    assets: int


class PoolsJson(TypedDict):
    """The pools, in alphabetical order."""

    pools: list[PoolJson]


class PooledQueryJson(TypedDict):
    """A query and the ids of its candidates."""

    query: str
    assets: list[str]


class PooledJson(TypedDict):
    """The queries of a pool."""

    queries: list[PooledQueryJson]


def operations(max_body: int) -> list[Operation]:
    """The routes for judgments and pools."""
    return [
        Operation(
            "GET",
            "/v1/pools",
            "pools",
            "List the pools of candidates to judge.",
            pools,
            PoolsJson,
            problems=(500, 503),
        ),
        Operation(
            "GET",
            "/v1/pools/{name}",
            "pool",
            "Read the queries of a pool and the ids of their candidates.",
            pool,
            PooledJson,
            problems=(404, 500, 503),
        ),
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
    asked = parse_model(JudgmentParameters, dict(request.query_params), InvalidQuery)
    service = service_of(request)

    def work() -> JudgmentsJson:
        known = [
            one
            for one in _judgments(service).current()
            if asked.query in {"", one.query} and asked.judge in {"", one.judge}
        ]
        return {
            "judgments": [_json(one) for one in known],
            "agreement": [
                {
                    "judges": list(one.judges),
                    "pairs": one.pairs,
                    "same": one.same,
                    "kappa": one.kappa,
                }
                for one in agreements(known)
            ],
        }

    return json_response(await service.read(work, request))


async def judge(request: Request) -> Response:
    """Store one judgment."""
    service, caller = service_of(request), request.scope["caller"]
    body = await json_body(request, JudgmentBody)
    name = caller.name if caller.keyed else body.judge or caller.name
    made = Judgment(body.query, body.asset, body.grade, name, "page", now())

    def work() -> None:
        if service.engine.indexer is None:
            raise HTTPException(403, "this service is read-only")
        if service.engine.catalog.find(AssetId(body.asset)) is None:
            raise UnknownAsset(f"no asset has the id {body.asset[:100]!r}")
        settings = service.engine.settings
        check_room(settings.data_dir, settings.storage.reserve_mb)
        _judgments(service).add([made])

    await service.write(work, request)
    return json_response(_json(made))


async def pools(request: Request) -> Response:
    """The pools that ``hybrid-search lab pool`` has made."""
    service = service_of(request)

    def work() -> PoolsJson:
        kept = Pools(service.engine.settings.data_dir)
        found = [(name, kept.read(name) or []) for name in kept.names()]
        return {
            "pools": [
                {
                    "name": name,
                    "queries": len(queries),
                    "assets": sum(len(one.assets) for one in queries),
                }
                for name, queries in found
            ]
        }

    return json_response(await service.read(work, request))


async def pool(request: Request) -> Response:
    """One pool."""
    service, name = service_of(request), request.path_params["name"]

    def work() -> PooledJson:
        found = Pools(service.engine.settings.data_dir).read(name)
        if found is None:
            raise HTTPException(404, f"no pool has the name {name[:60]!r}")
        return {"queries": [{"query": one.query, "assets": list(one.assets)} for one in found]}

    return json_response(await service.read(work, request))


def _judgments(service: Service) -> Judgments:
    return Judgments(service.engine.settings.data_dir)


def _json(one: Judgment) -> JudgmentJson:
    return {
        "query": one.query,
        "asset": one.asset,
        "grade": one.grade,
        "judge": one.judge,
        "source": one.source,
        "at": one.at,
    }
