"""Routes for monitoring: health, readiness, metrics, status, and the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from hybrid_search.api.metrics import CONTENT_TYPE
from hybrid_search.api.operations import Operation
from hybrid_search.api.problems import RETRY_SECONDS, problem
from hybrid_search.api.responses import json_response
from hybrid_search.api.service import LoadJson, service_of
from hybrid_search.engine.status import StatusJson, engine_status


class HealthJson(TypedDict):
    """The health of the process."""

    status: str


class ServiceStatusJson(StatusJson):
    """The state of the index, and of the process that serves it."""

    service: LoadJson


def operations(document: Callable[[], dict[str, Any]]) -> list[Operation]:
    """The routes for monitoring; ``document`` returns the OpenAPI document."""

    async def openapi(request: Request) -> Response:
        return json_response(document())

    return [
        Operation(
            "GET",
            "/healthz",
            "health",
            "Check that the process is alive.",
            health,
            HealthJson,
            limited=False,
            role=None,
        ),
        Operation(
            "GET",
            "/readyz",
            "ready",
            "Check that the index is open and the model is loaded.",
            ready,
            HealthJson,
            problems=(503,),
            limited=False,
            role=None,
        ),
        Operation(
            "GET",
            "/metrics",
            "metrics",
            "Read metrics in the Prometheus text format.",
            metrics,
            media="text/plain",
            limited=False,
            by_writer=True,
        ),
        Operation(
            "GET",
            "/v1/status",
            "status",
            "Read the state of the index and of the service.",
            status,
            ServiceStatusJson,
            problems=(500, 503),
            limited=False,
            by_writer=True,
        ),
        Operation(
            "GET",
            "/openapi.json",
            "openapi",
            "Read this OpenAPI document.",
            openapi,
            dict[str, Any],
            limited=False,
            role=None,
        ),
    ]


async def health(request: Request) -> Response:
    """Always 200 while the process responds."""
    return json_response({"status": "ok"})


async def ready(request: Request) -> Response:
    """200 once model and dictionary are loaded and the catalog responds."""
    service = service_of(request)
    if (reason := service.not_ready()) is not None:
        return problem(503, "Not ready", reason, {"Retry-After": RETRY_SECONDS})
    await service.monitor(service.index.catalog.last_sequence)
    return json_response({"status": "ready"})


async def metrics(request: Request) -> Response:
    """The metrics of requests and of the index."""
    service = service_of(request)
    return Response(await service.monitor(service.metrics.text), media_type=CONTENT_TYPE)


async def status(request: Request) -> Response:
    """The state of the index, and of this service."""
    service = service_of(request)
    index = await service.monitor(lambda: engine_status(service.index))
    content: ServiceStatusJson = {**index, "service": service.load()}
    return json_response(content)
