"""The API conforms to its OpenAPI document, for requests generated from it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hybrid_search import __version__
from hybrid_search.api.app import api
from hybrid_search.api.openapi import document
from tests.api.conftest import serving

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
DESCRIBED = schemathesis.openapi.from_dict(document(api(200_000), __version__))
Operation = APIOperation[Any, Any, Any, Any]
OPERATIONS = [
    operation
    for operation in (
        found.ok() for found in DESCRIBED.get_all_operations() if isinstance(found, Ok)
    )
    if operation.definition.raw["operationId"] != "bulk"  # JSON lines cannot be generated from it
]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a separate server, because these writes remain."""
    with serving(tmp_path_factory.mktemp("conformance") / "data") as (client, _):
        yield client


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_responses_match_the_openapi_document(own: httpx.Client, operation: Operation) -> None:
    @settings(
        max_examples=30,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def keeps_to_the_document(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(base_url=str(own.base_url), checks=CHECKS)

    keeps_to_the_document()
    assert own.get("/healthz").status_code == 200
