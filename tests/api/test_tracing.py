"""Spans of requests and stages: nesting, privacy, export."""

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import anyio
import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from hybrid_search.api.app import create_app
from hybrid_search.api.tracing import trace_requests
from hybrid_search.core.errors import InvalidConfig
from hybrid_search.engine.factory import open_engine
from hybrid_search.settings.settings import load_settings
from tests.api.conftest import serving

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def times_of(span: ReadableSpan) -> tuple[int, int]:
    """Start and end of a finished span, in nanoseconds."""
    assert span.start_time is not None
    assert span.end_time is not None
    return span.start_time, span.end_time


def attributes_of(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def spans_of(folder: Path, path: str, headers: dict[str, str]) -> list[ReadableSpan]:
    """Return the spans of one request."""
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))

    async def ask() -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            await client.get(path, headers=headers)

    with open_engine(load_settings(folder), write=True) as engine:
        app = create_app(engine)
        trace_requests(app.state.service, provider)
        anyio.run(ask)
    return list(kept.get_finished_spans())


def test_stage_spans_are_children_of_the_request_span(tmp_path: Path) -> None:
    *stages, request = spans_of(tmp_path, "/v1/search?q=secret", {"traceparent": CALLER})
    assert request.name == "search"
    assert request.parent is not None
    assert format(request.parent.span_id, "016x") == "b7ad6b7169203331"
    assert {span.name for span in stages} >= {"encode", "words", "vectors", "fuse", "render"}
    assert {span.parent.span_id for span in stages if span.parent} == {request.context.span_id}
    assert all(span.parent for span in stages)
    began, ended = times_of(request)
    assert all(began <= begin <= end <= ended for begin, end in map(times_of, stages))
    assert attributes_of(request)["http.response.status_code"] == 200
    assert not any("secret" in span.to_json() for span in (*stages, request))


def test_failure_is_a_failed_span_without_query_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("hybrid_search.api.query_requests.query_from_parameters", broken)
    (request,) = spans_of(tmp_path, "/v1/search?q=any", {})
    assert request.status.status_code is StatusCode.ERROR
    assert attributes_of(request)["http.response.status_code"] == 500
    assert "secret" not in request.to_json()


def test_setting_without_the_package_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYBRID_SEARCH_SERVER__TRACES", "true")
    monkeypatch.delitem(sys.modules, "hybrid_search.api.tracing")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    refused = pytest.raises(InvalidConfig, match=r"pip install 'hybrid_search\[otel\]'")
    with open_engine(load_settings(tmp_path), write=True) as engine, refused:
        create_app(engine)


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """Yield the address of a span collector, and what it received."""
    taken: list[bytes] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        running = threading.Thread(target=server.serve_forever)
        running.start()
        yield f"http://127.0.0.1:{server.server_port}", taken
        server.shutdown()
        running.join()


def test_spans_are_sent_to_the_configured_endpoint(
    tmp_path: Path, collector: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, taken = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "adverts")
    with serving(tmp_path / "data", settings={"SERVER__TRACES": "true"}) as (client, _):
        assert client.get("/v1/search", params={"q": "words"}).status_code == 200
    sent = b"".join(taken)
    assert b"adverts" in sent
    assert b"encode" in sent
