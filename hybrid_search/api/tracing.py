"""OpenTelemetry spans for requests and for the stages of a search.

Imported only when traces are enabled: the packages are optional. No other module of the service
opens an outbound connection.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from starlette.datastructures import Headers
from starlette.types import Scope

from hybrid_search.api.service import Service


def exporting() -> TracerProvider:
    """A provider that exports spans as the standard ``OTEL_`` variables say."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def trace_requests(service: Service, provider: TracerProvider) -> None:
    """Record a span for each request, in the trace of its caller, with one span for each stage."""
    tracer = provider.get_tracer("hybrid_search")

    @contextmanager
    def request(scope: Scope) -> Iterator[None]:
        # The text of an exception may contain the query, so it is not recorded.
        with tracer.start_as_current_span(
            "request",
            extract(dict(Headers(scope=scope))),
            trace.SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            finally:
                _describe(span, scope)

    def stage(name: str, seconds: float) -> None:
        end = time.time_ns()
        tracer.start_span(name, start_time=end - int(seconds * 1e9)).end(end)

    service.around = request
    service.observers.append(stage)


def _describe(span: trace.Span, scope: Scope) -> None:
    status = scope.get("status", 0)
    span.update_name(scope.get("operation", "page"))
    span.set_attribute("request_id", scope["request_id"])
    span.set_attribute("http.request.method", scope["method"])
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(trace.StatusCode.ERROR)
