"""Threads and limits of the service, and its document, in this process."""

import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import openapi_spec_validator
import pytest
from starlette.applications import Starlette

from hybrid_search import __version__
from hybrid_search.assembly import Engine, open_engine
from hybrid_search.config import load_settings
from hybrid_search.web.app import api, create_app
from hybrid_search.web.openapi import document


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder: Path = tmp_path_factory.mktemp("data")
    (folder / "hybrid_search.toml").write_text("[server]\nmax_in_flight = 2\n")
    with open_engine(load_settings(folder), write=True) as opened:
        yield opened


def client_of(app: Starlette) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


def test_blocking_work_does_not_stop_health_checks(engine: Engine) -> None:
    app, release = create_app(engine), threading.Event()

    async def check() -> None:
        async with client_of(app) as client, anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(app.state.service.read, release.wait)
            with anyio.fail_after(5):
                answers = [await client.get("/healthz") for _ in range(3)]
            release.set()
            assert {answer.status_code for answer in answers} == {200}

    anyio.run(check)


def test_beyond_the_limit_in_flight_a_request_is_told_to_come_again(engine: Engine) -> None:
    app = create_app(engine)
    service = app.state.service

    async def check() -> None:
        async with client_of(app) as client:
            with service.admitted(), service.admitted():
                refused = await client.get("/v1/assets/any")
                health = await client.get("/healthz")
            assert (refused.status_code, health.status_code) == (503, 200)
            assert refused.headers["retry-after"] == "1"
            assert "2 requests are in flight" in refused.json()["detail"]
            assert (await client.get("/v1/assets/any")).status_code == 404

    anyio.run(check)


def test_not_ready_before_the_model_is_loaded(engine: Engine) -> None:
    app = create_app(engine)

    async def check() -> None:
        async with client_of(app) as client:
            answer = await client.get("/readyz")
            assert answer.status_code == 503
            assert "model" in answer.json()["detail"]

    anyio.run(check)


def test_the_document_is_valid_and_names_every_route(engine: Engine) -> None:
    described = document(api(1000), __version__)
    openapi_spec_validator.validate(described)
    app = create_app(engine)
    served = {
        (route.path.replace(":path", ""), method)
        for route in app.routes
        for method in getattr(route, "methods", None) or ()
        if method != "HEAD" and route.path != "/"
    }
    named = {(path, method.upper()) for path, by in described["paths"].items() for method in by}
    assert named == served
