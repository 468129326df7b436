"""Routes that explain the rank of an asset in a search."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from hybrid_search.api.assets import ONE
from hybrid_search.api.operations import Operation
from hybrid_search.api.query_requests import (
    QUERY_BODIES,
    QUERY_PROBLEMS,
    ToQuery,
    query_of_body,
    query_of_parameters,
    search_parameters,
)
from hybrid_search.api.responses import json_response
from hybrid_search.api.schemas.explanations import ExplanationJson, explanation_to_json
from hybrid_search.api.service import service_of
from hybrid_search.core import AssetId

_EXPLAIN = f"{ONE}/explain"


def operations(max_body: int) -> list[Operation]:
    """The routes that explain."""
    parameters = search_parameters()
    return [
        Operation(
            "GET",
            _EXPLAIN,
            "explain",
            "Explain the rank of this asset in a search, or why it is not found.",
            explain_by_parameters,
            ExplanationJson,
            parameters=parameters,
            problems=QUERY_PROBLEMS,
        ),
        Operation(
            "POST",
            _EXPLAIN,
            "explainByBody",
            "Explain the rank of this asset in a search that is sent as a body.",
            explain_by_body,
            ExplanationJson,
            parameters=parameters,
            bodies=QUERY_BODIES,
            problems=(400, *QUERY_PROBLEMS, 413, 415),
            max_body=max_body,
        ),
    ]


async def explain_by_parameters(request: Request) -> Response:
    """Explain the rank of one asset in a search by the query string."""
    return await _explain(request, query_of_parameters(request))


async def explain_by_body(request: Request) -> Response:
    """Explain the rank of one asset in a search by a body."""
    return await _explain(request, await query_of_body(request))


async def _explain(request: Request, to_query: ToQuery) -> Response:
    service, asset_id = service_of(request), AssetId(request.path_params["id"])

    def work() -> Response:
        explained = service.index.explain(asset_id, to_query(service))
        return json_response(explanation_to_json(explained))

    return await service.read(work, request)
