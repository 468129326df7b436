"""Routes for pools: queries with candidates to judge."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from hybrid_search.api.operations import Operation
from hybrid_search.api.responses import json_response
from hybrid_search.api.service import service_of
from hybrid_search.engine.judgment_pools import PooledQuery, Pools


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


def operations() -> list[Operation]:
    """The routes for pools."""
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
    ]


async def pools(request: Request) -> Response:
    """The pools that ``hybrid-search lab pool`` has made."""
    service = service_of(request)

    def work() -> PoolsJson:
        found = Pools(service.index.settings.data_dir)
        return {"pools": [_size(name, found.read(name) or []) for name in found.names()]}

    return json_response(await service.read(work, request))


async def pool(request: Request) -> Response:
    """One pool."""
    service, name = service_of(request), request.path_params["name"]

    def work() -> PooledJson:
        found = Pools(service.index.settings.data_dir).read(name)
        if found is None:
            raise HTTPException(404, f"no pool has the name {name[:60]!r}")
        return {"queries": [{"query": q.query, "assets": list(q.assets)} for q in found]}

    return json_response(await service.read(work, request))


def _size(name: str, queries: Sequence[PooledQuery]) -> PoolJson:
    assets = sum(len(query.assets) for query in queries)
    return {"name": name, "queries": len(queries), "assets": assets}
