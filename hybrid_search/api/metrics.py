"""Prometheus metrics: requests, stages of a search, and the state of the index."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from hybrid_search.engine.index import Index
from hybrid_search.engine.status import StatusJson, VectorStatusJson, engine_status

COUNTS = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which the Prometheus client shares counts between processes."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_STAGE_BUCKETS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_VECTOR_GAUGES = {
    "sealed": "Vectors in the segment.",
    "tail": "Vectors in the write buffer, which is scanned exactly.",
    "tombstones": "Deleted vectors that were not removed yet.",
    "inserted": "Vectors inserted after the index was built.",
    "bytes": "Bytes that a vector search reads from memory.",
    "disk_bytes": "Bytes of the vector index on disk.",
    "drift": "Drift of the vector index: the largest of its measures, as a share.",
}
"""Fields of the status of a vector index, each with its help text."""


class Metrics:
    """The metrics of one service, in a registry of its own."""

    def __init__(self, index: Index) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "hybrid_search_requests",
            "Requests by operation and status.",
            ("operation", "status"),
            registry=self._registry,
        )
        self.seconds = Histogram(
            "hybrid_search_request_seconds",
            "Time from the first byte of a request to the last byte of its response.",
            ("operation",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self.in_flight = Gauge(
            "hybrid_search_in_flight",
            "Requests in progress.",
            multiprocess_mode="livesum",
            registry=self._registry,
        )
        self.stages = Histogram(
            "hybrid_search_stage_seconds",
            "Duration of each stage of a search.",
            ("stage",),
            buckets=_STAGE_BUCKETS,
            registry=self._registry,
        )
        # Looking a label up costs more than observing it.
        self._stage_observers = cache(lambda stage: self.stages.labels(stage).observe)
        self.waiting = Gauge(
            "hybrid_search_waiting",
            "Requests that wait in a queue.",
            ("lane",),
            multiprocess_mode="livesum",
            registry=self._registry,
        )
        self._state = CollectorRegistry()
        self._state.register(_IndexCollector(index))

    def observe(self, operation: str, status: int, seconds: float) -> None:
        """Count one finished request."""
        self.requests.labels(operation, str(status)).inc()
        self.seconds.labels(operation).observe(seconds)

    def observe_stage(self, stage: str, seconds: float) -> None:
        """Count one stage of a search."""
        self._stage_observers(stage)(seconds)

    def text(self) -> bytes:
        """All metrics in the Prometheus text format; requests are summed over all processes."""
        return generate_latest(self._counted()) + generate_latest(self._state)

    def _counted(self) -> CollectorRegistry:
        """The registry of this process, or one that sums over all processes."""
        if COUNTS not in os.environ:
            return self._registry
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]  # it has no types
        return together


class _IndexCollector(Collector):
    """Reads the index at each scrape."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def collect(self) -> Iterator[Metric]:
        """Sizes and counts of the index."""
        status = engine_status(self._index)
        gauges = {
            "assets": ("Live assets.", status["assets"]),
            "writable": ("1 in the process that writes, else 0.", status["writable"]),
            "troubled": (
                "1 when the latest generation could not be opened, else 0.",
                bool(status["trouble"]),
            ),
            "repairs": ("Repairs made at the start.", len(status["repaired"])),
            "sequence": (
                "The sequence number of the last write in the catalog.",
                status["sequence"],
            ),
            "lexical_watermark": (
                "The sequence number of the last write in the inverted index.",
                status["lexical"]["watermark"],
            ),
        }
        for name, (text, value) in gauges.items():
            yield GaugeMetricFamily(f"hybrid_search_{name}", text, value)
        yield from _vectors(status)
        encoding = status["encoding"]
        totals = {
            "query_cache_hits": ("Query embeddings found in the cache.", encoding["cache_hits"]),
            "query_cache_misses": (
                "Query embeddings not found in the cache.",
                encoding["cache_misses"],
            ),
            "encode_batches": ("Forward passes for query texts.", encoding["batches"]),
        }
        for name, (text, value) in totals.items():
            yield CounterMetricFamily(f"hybrid_search_{name}", text, value)


def _vectors(status: StatusJson) -> Iterator[Metric]:
    """The gauges of each vector index, with a label for what its vectors describe."""
    indexes = {"picture": status["vector"], "copy": status["copy"]}
    facts = {name: _numbers(vectors) for name, vectors in indexes.items() if vectors is not None}
    for name, text in _VECTOR_GAUGES.items():
        family = GaugeMetricFamily(f"hybrid_search_vectors_{name}", text, labels=("subject",))
        for subject, numbers in facts.items():
            family.add_metric((subject,), numbers[name])
        yield family


def _numbers(vectors: VectorStatusJson) -> dict[str, Any]:
    """The fields of the status; of the drift the largest measure."""
    return {**vectors, "drift": max(vectors["drift"].values(), default=0.0)}
