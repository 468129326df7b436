"""Route for the audit log."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from hybrid_search.api.operations import Operation, parameters_of
from hybrid_search.api.responses import json_response
from hybrid_search.api.service import service_of
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.json_input import parse_model


class AuditParameters(BaseModel):
    """Parameters of the audit log."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    size: Annotated[int, Field(ge=1, le=1000)] = 100
    """Number of lines."""


class AuditJson(TypedDict):
    """The last lines of the audit log, newest first."""

    lines: list[dict[str, Any]]


def operations() -> list[Operation]:
    """The route for the audit log."""
    return [
        Operation(
            "GET",
            "/v1/audit",
            "audit",
            "List the last writes, newest first.",
            audit,
            AuditJson,
            parameters=parameters_of(AuditParameters),
            problems=(422, 500, 503),
            role="admin",
        ),
    ]


async def audit(request: Request) -> Response:
    """The last lines of the audit log."""
    service = service_of(request)
    parameters = parse_model(AuditParameters, dict(request.query_params), InvalidQuery)
    lines = await service.read(lambda: service.audit.newest(parameters.size), request)
    return json_response({"lines": lines})
