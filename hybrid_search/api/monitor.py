"""What monitors and operators ask: alive, ready, how much, how fast, and the API's document."""

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
    """That the service answers."""

    status: str


class ServiceStatusJson(StatusJson):
    """The state of an engine, and of the process that serves it."""

    service: LoadJson


def operations(document: Callable[[], dict[str, Any]]) -> list[Operation]:
    """The routes for monitors; ``document`` gives the OpenAPI document."""

    async def openapi(request: Request) -> Response:
        return json_response(document())

    return [
        Operation(
            "GET",
            "/healthz",
            "health",
            "Is the process alive?",
            health,
            HealthJson,
            limited=False,
            role=None,
        ),
        Operation(
            "GET",
            "/readyz",
            "ready",
            "Can it answer searches at full speed?",
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
            "Counts and times, in the text format of Prometheus.",
            metrics,
            media="text/plain",
            limited=False,
            by_writer=True,
        ),
        Operation(
            "GET",
            "/v1/status",
            "status",
            "What is indexed, and how.",
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
            "This document.",
            openapi,
            dict[str, Any],
            limited=False,
            role=None,
        ),
    ]


async def health(request: Request) -> Response:
    """Always well, while anything is answered at all."""
    return json_response({"status": "ok"})


async def ready(request: Request) -> Response:
    """Ready once model and dictionary are loaded and the stores answer."""
    service = service_of(request)
    if (reason := service.not_ready()) is not None:
        return problem(503, "Not ready", reason, {"Retry-After": RETRY_SECONDS})
    await service.look(service.engine.catalog.last_sequence)
    return json_response({"status": "ready"})


async def metrics(request: Request) -> Response:
    """The metrics of requests and engine."""
    service = service_of(request)
    return Response(await service.look(service.metrics.text), media_type=CONTENT_TYPE)


async def status(request: Request) -> Response:
    """The state of the engine, and of the service around it."""
    service = service_of(request)
    known = await service.look(lambda: engine_status(service.engine))
    told: ServiceStatusJson = {**known, "service": service.load()}
    return json_response(told)
