"""Threads, limits and OpenAPI document of the service, in this process."""

import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import openapi_spec_validator
import pytest
from prometheus_client import Gauge
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route

from hybrid_search import __version__
from hybrid_search.api.app import api, create_app
from hybrid_search.api.openapi import document
from hybrid_search.api.request_queues import Lane
from hybrid_search.core.errors import DeadlineExceeded, Overloaded
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.settings.sections import ServerSection
from hybrid_search.settings.settings import load_settings
from hybrid_search.stores.local.list_retriever import ListRetriever
from tests.clock import MovedClock


def one_at_a_time(section: ServerSection) -> Lane:
    return Lane("reads", 1, section, Gauge("waiting", "Those who wait.", registry=None))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    folder: Path = tmp_path_factory.mktemp("data")
    (folder / "hybrid_search.toml").write_text("[server]\nmax_in_flight = 2\nmax_waiting = 1\n")
    with open_engine(load_settings(folder), write=True) as opened:
        yield opened


HERE = Request({"type": "http"}, anyio.sleep_forever)  # type: ignore[arg-type]


def client_of(app: Starlette) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


def test_blocking_work_does_not_stop_health_checks(engine: Index) -> None:
    app, release = create_app(engine), threading.Event()

    async def check() -> None:
        async with client_of(app) as client, anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(app.state.service.read, release.wait, HERE)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(app.state.service.read, release.wait, HERE)
            await anyio.wait_all_tasks_blocked()
            paths = ("/healthz", "/metrics", "/v1/status", "/v1/assets/any")
            with anyio.fail_after(5):
                statuses = [(await client.get(path)).status_code for path in paths]
            release.set()
            assert statuses == [200, 200, 200, 503]

    anyio.run(check)


@pytest.mark.parametrize(
    ("lane", "method", "path"),
    [
        ("_readers", "GET", "/v1/assets/any"),
        ("_writers", "DELETE", "/v1/assets/any"),
        ("_uploads", "POST", "/v1/assets"),
    ],
)
def test_waiting_limit_and_one_more(engine: Index, lane: str, method: str, path: str) -> None:
    app, release = create_app(engine), threading.Event()
    kept: Lane = getattr(app.state.service, lane)
    media = {"Content-Type": "application/x-ndjson"} if method == "POST" else {}

    async def check() -> None:
        async with client_of(app) as client, anyio.create_task_group() as tasks:
            while kept._turns.available_tokens:
                tasks.start_soon(kept.run, release.wait)
                await anyio.wait_all_tasks_blocked()
            answers: list[int] = []

            async def ask() -> None:
                answers.append((await client.request(method, path, headers=media)).status_code)

            tasks.start_soon(ask)
            while not kept.waiting():
                await anyio.sleep(0.01)
            refused = await client.request(method, path, headers=media)
            assert refused.status_code == 503
            assert f"1 {kept.name} are waiting, the limit" in refused.json()["detail"]
            assert answers == []
            release.set()
        assert answers in ([200], [404])

    anyio.run(check)


def test_request_over_the_limit_gets_retry_after(engine: Index) -> None:
    app = create_app(engine)
    service = app.state.service

    async def check() -> None:
        async with client_of(app) as client:
            with service.admitted(False), service.admitted(False), service.admitted(False):
                refused = await client.get("/v1/assets/any")
                health = await client.get("/healthz")
                other = await client.post("/v1/search", json={"q": "any"})
            assert (refused.status_code, health.status_code) == (503, 200)
            assert refused.headers["retry-after"] == "1"
            assert "3 requests without a body in flight" in refused.json()["detail"]
            assert other.status_code == 200
            assert (await client.get("/v1/assets/any")).status_code == 404

    anyio.run(check)


def test_lane_is_bounded_in_length_and_time(engine: Index) -> None:
    section = engine.settings.server.model_copy(update={"max_waiting": 1, "deadline_seconds": 1.0})
    lane, ending, ran = one_at_a_time(section), threading.Event(), list[str]()
    given_up = anyio.Event()

    async def late() -> None:
        with pytest.raises(DeadlineExceeded, match="waited 1 s"):
            await lane.run(lambda: ran.append("late"))
        given_up.set()

    async def check() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(lane.run, ending.wait)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(late)
            await anyio.wait_all_tasks_blocked()
            assert lane.waiting() == 1
            with pytest.raises(Overloaded, match="1 reads are waiting"):
                await lane.run(lambda: ran.append("too many"))
            await given_up.wait()
            ending.set()
        await lane.run(lambda: ran.append("after"))

    anyio.run(check)
    assert ran == ["after"]


def test_search_stops_before_a_stage_past_the_deadline(
    engine: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, asked, clock = create_app(engine), list[str](), MovedClock()
    monkeypatch.setattr("hybrid_search.core.deadline.time", clock)

    def slow(*_: object) -> dict[str, object]:
        clock.ahead += 2 * engine.settings.server.deadline_seconds
        return {}

    def never(*_: object) -> tuple[()]:
        asked.append("words")
        return ()

    monkeypatch.setattr(engine.searcher._retriever, "_query_vectors", slow)
    monkeypatch.setattr(ListRetriever, "find", never)

    async def check() -> None:
        async with client_of(app) as client:
            answer = await client.get("/v1/search", params={"q": "late"})
            assert answer.status_code == 503
            assert answer.json()["title"] == "Overloaded"
            assert "before filter; the limit is" in answer.json()["detail"]
            assert answer.headers["retry-after"] == "1"
            metrics = (await client.get("/metrics")).text
            assert 'hybrid_search_stage_seconds_count{stage="encode"} 1.0' in metrics
            assert 'hybrid_search_waiting{lane="reads"} 0.0' in metrics

    anyio.run(check)
    assert asked == []


def test_work_of_disconnected_clients_is_not_run(engine: Index) -> None:
    lane, ending, ran = one_at_a_time(engine.settings.server), threading.Event(), list[str]()

    async def gone() -> bool:
        return True

    async def abandoned() -> None:
        with pytest.raises(ClientDisconnect):
            await lane.run(lambda: ran.append("abandoned"), gone)

    async def check() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(lane.run, ending.wait)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(abandoned)
            await anyio.wait_all_tasks_blocked()
            ending.set()
        await lane.run(lambda: ran.append("after"))

    anyio.run(check)
    assert ran == ["after"]


def test_retry_after_follows_the_pace_of_work(engine: Index) -> None:
    section = engine.settings.server.model_copy(update={"max_waiting": 0, "deadline_seconds": 5})
    lane, ending = one_at_a_time(section), threading.Event()

    async def check() -> None:
        assert lane.retry_seconds() == 1
        for _ in range(3):
            await lane.run(lambda: None)
        assert lane.retry_seconds() == 1
        lane._mean = 7.2
        async with anyio.create_task_group() as group:
            group.start_soon(lane.run, ending.wait)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(Overloaded) as refused:
                await lane.run(lambda: None)
            ending.set()
        assert refused.value.retry_seconds == 8
        lane._mean = 1e6
        assert lane.retry_seconds() == 60

    anyio.run(check)


def test_not_ready_until_the_model_is_loaded(engine: Index) -> None:
    app = create_app(engine)

    async def check() -> None:
        async with client_of(app) as client:
            answer = await client.get("/readyz")
            assert answer.status_code == 503
            assert "model" in answer.json()["detail"]

    anyio.run(check)


def test_openapi_document_is_valid_and_lists_every_route(engine: Index) -> None:
    described = document(api(1000), __version__)
    openapi_spec_validator.validate(described)
    app = create_app(engine)
    served = {
        (route.path.replace(":path", ""), method)
        for route in app.routes
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD" and route.path not in {"/", "/status", "/judge"}
    }
    named = {(path, method.upper()) for path, by in described["paths"].items() for method in by}
    assert named == served
