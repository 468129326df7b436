"""The OpenAPI document, generated from the operations and their models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from hybrid_search.api.auth import COOKIE
from hybrid_search.api.operations import Operation, Parameter
from hybrid_search.api.problems import MEDIA_TYPE, ProblemJson

_KEYS = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
}
"""Where a key may be sent. A key is required as soon as the data folder has one."""
_GUARDED = (401, 403, 421, 429)
"""Statuses that every operation with a role may respond with."""
_REFERENCES = "#/components/schemas/{model}"


def document(operations: Sequence[Operation], version: str) -> dict[str, Any]:
    """The document as a JSON object (OpenAPI 3.1)."""
    schemas, components = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "hybrid_search",
            "version": version,
            "description": "Search advertising assets by words, meaning and pictures.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _KEYS},
    }


_Schemas = dict[tuple[Any, JsonSchemaMode], dict[str, Any]]


def _schemas(operations: Sequence[Operation]) -> tuple[_Schemas, dict[str, Any]]:
    """Schemas of all request and response types, and the definitions they refer to."""
    bodies = [kind for o in operations for _, kind in o.bodies if kind is not bytes]
    answers = [o.answer for o in operations if o.answer is not None]
    wanted: list[tuple[Any, JsonSchemaMode]] = [(kind, "validation") for kind in bodies]
    wanted += [(kind, "serialization") for kind in (*answers, ProblemJson)]
    inputs = [(kind, mode, TypeAdapter(kind)) for kind, mode in dict.fromkeys(wanted)]
    found, definitions = TypeAdapter.json_schemas(inputs, ref_template=_REFERENCES)
    return dict(found), definitions.get("$defs", {})


def _operation(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    guarded = _GUARDED if operation.role else ()
    slow = (408,) if operation.bodies else ()
    problems = sorted({*operation.problems, *guarded, *slow})
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "security": [{name: []} for name in _KEYS] if operation.role else [],
        "x-role": operation.role,
        "parameters": [
            *map(_in_path, re.findall(r"{(\w+)", operation.path)),
            *(_parameter(parameter) for parameter in operation.parameters),
        ],
        "responses": {
            **{str(status): _answer(status, operation, schemas) for status in operation.statuses},
            **{str(status): _problem(status, schemas) for status in problems},
        },
    }
    if operation.bodies:
        described["requestBody"] = {"required": True, "content": _bodies(operation, schemas)}
    return described


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _answer(status: int, operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    phrase = HTTPStatus(status).phrase
    if status == HTTPStatus.NO_CONTENT:
        return {"description": phrase}
    schema = (
        schemas[operation.answer, "serialization"]
        if operation.answer is not None
        else {"type": "string"}
    )
    return {"description": phrase, "content": {operation.media: {"schema": schema}}}


def _bodies(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    binary = {"type": "string", "format": "binary"}
    return {
        media: {"schema": binary if kind is bytes else schemas[kind, "validation"]}
        for media, kind in operation.bodies
    }


def _problem(status: int, schemas: _Schemas) -> dict[str, Any]:
    schema = schemas[ProblemJson, "serialization"]
    return {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
