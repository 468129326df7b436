"""Uploads and slow bodies are bounded and do not block other requests."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import psutil
import pytest

from tests.api.conftest import serving
from tests.api.links import BODY, LINES, connected
from tests.progress import until

LIMITS = {
    "SERVER__MAX_CONNECTIONS": "40",
    "SERVER__MAX_BODY_BYTES": "100000",
    "SERVER__MAX_BULK_BYTES": "300000",
    "SERVER__MAX_BULK_ROWS": "50",
    "SERVER__MAX_IN_FLIGHT": "4",
    "SERVER__MAX_WAITING": "8",
    "SERVER__LOG_LEVEL": "error",
}

ADMITTED = 12
"""Requests with a body that are admitted at a time: in flight and waiting."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, int]]:
    with serving(tmp_path_factory.mktemp("uploads") / "data", settings=LIMITS) as (client, process):
        yield client, process
        assert client.get("/healthz").status_code == 200


@pytest.fixture
def client(server: tuple[httpx.Client, int]) -> httpx.Client:
    return server[0]


@contextmanager
def trickling(client: httpx.Client, head: bytes, piece: bytes, count: int) -> Iterator[None]:
    """Keep ``count`` clients sending bodies at the slowest allowed rate."""
    until_quiet(client)
    links, stop = [connected(client) for _ in range(count)], threading.Event()
    for link in links:
        link.sendall(head)

    def send() -> None:
        while not stop.wait(0.2):
            for link in links:
                with suppress(OSError):
                    link.sendall(piece)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        until(lambda: in_flight(client) >= min(count, ADMITTED))
        yield
    finally:
        stop.set()
        sender.join()
        for link in links:
            link.close()
        until_quiet(client)


def until_quiet(client: httpx.Client) -> None:
    """Return once no request is in flight."""
    until(lambda: in_flight(client) == 0)


def in_flight(client: httpx.Client) -> int:
    """Requests that the service works on, monitors aside."""
    found = re.search(r"^hybrid_search_in_flight (\d+)", client.get("/metrics").text, re.MULTILINE)
    assert found is not None
    return int(found[1])


def test_slow_bodies_do_not_block_searches(client: httpx.Client) -> None:
    head = BODY.replace(b"5000", b"90000")
    with trickling(client, head, b" " * 400, 13):
        assert client.get("/v1/search", params={"q": "words"}).status_code == 200
        refused = client.put("/v1/assets/other", json={"title": "other"})
        assert refused.status_code == 503
        assert "12 requests with a body in flight" in refused.json()["detail"]
    again = client.put("/v1/assets/other", json={"title": "other"})
    assert again.status_code in {200, 201}, again.text


def test_slow_uploads_do_not_block_writes(client: httpx.Client) -> None:
    with trickling(client, LINES, b"190\r\n" + b"\n" * 400 + b"\r\n", 4):
        answer = client.put("/v1/assets/other", json={"title": "beside uploads"})
        assert answer.status_code in {200, 201}
        assert in_flight(client) == 4, "the write waited for an upload to end"


def test_a_body_at_the_limit_and_over_it(client: httpx.Client) -> None:
    def put(length: int) -> httpx.Response:
        content = b'{"title": "padded"}'.ljust(length)
        media = {"Content-Type": "application/json"}
        return client.put("/v1/assets/padded", content=content, headers=media)

    assert put(100_000).status_code in {200, 201}
    refused = put(100_001)
    assert refused.status_code == 413
    assert "larger than 100,000 bytes" in refused.json()["detail"]


def rows(count: int) -> bytes:
    return b"".join(b'{"id": "row-%d", "title": "row"}\n' % number for number in range(count))


def upload(client: httpx.Client, content: bytes) -> httpx.Response:
    media = {"Content-Type": "application/x-ndjson"}
    return client.post("/v1/assets", content=content, headers=media)


def test_rows_of_an_upload_at_the_limit_and_over_it(client: httpx.Client) -> None:
    fits = upload(client, rows(50))
    assert fits.status_code == 200
    assert fits.json()["indexed"] + fits.json()["unchanged"] == 50
    refused = upload(client, rows(51))
    assert refused.status_code == 413
    assert "rows: more than 50, the limit (server.max_bulk_rows)" in refused.json()["detail"]


@pytest.mark.parametrize("filling", [b"\n", b"x"])
def test_bytes_of_an_upload_at_the_limit_and_over_it(client: httpx.Client, filling: bytes) -> None:
    assert upload(client, filling * 300_000).status_code == 200
    refused = upload(client, filling * 300_001)
    assert refused.status_code == 413
    assert "more than 300,000 bytes" in refused.json()["detail"]


def test_reported_rows_are_bounded(server: tuple[httpx.Client, int]) -> None:
    client, process = server
    before = psutil.Process(process).memory_info().rss
    refused = upload(client, b"x\n" * 140_000)
    assert refused.status_code == 413
    assert psutil.Process(process).memory_info().rss - before < 30 << 20


def test_long_id_is_shortened_in_the_report(client: httpx.Client) -> None:
    row = b'{"id": "' + b"i" * 100_000 + b'", "' + b"n" * 100_000 + b'": {}}'
    report = upload(client, row)
    assert report.status_code == 200
    assert len(report.json()["skipped"]) == 1
    assert len(report.content) < 2_000
