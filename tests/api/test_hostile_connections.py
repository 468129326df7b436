"""Hostile connections: each gets a response or is closed, and the service continues."""

import socket
from collections.abc import Iterator
from contextlib import suppress

import httpx
import psutil
import pytest

from tests.api.conftest import serving
from tests.api.links import (
    BODY,
    LINES,
    START,
    all_from,
    answer_to,
    connected,
    healthy,
    send_slowly,
    status_of,
)
from tests.progress import HANG_SECONDS, until

LIMITS = {
    "SERVER__HEADER_SECONDS": "1",
    "SERVER__BODY_SECONDS": "1",
    "SERVER__MAX_CONNECTIONS": "40",
    "SERVER__MAX_BODY_BYTES": "100000",
    "SERVER__LOG_LEVEL": "error",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, int]]:
    with serving(tmp_path_factory.mktemp("hostile") / "data", settings=LIMITS) as (client, process):
        yield client, process
        assert client.get("/healthz").status_code == 200


@pytest.fixture
def client(server: tuple[httpx.Client, int]) -> httpx.Client:
    return server[0]


def test_headers_over_the_limit(client: httpx.Client) -> None:
    fits = START + b"X-A: " + b"a" * 60_000 + b"\r\nConnection: close\r\n\r\n"
    assert status_of(answer_to(client, fits)) == 200
    answer = answer_to(client, START + b"X-A: " + b"a" * 66_000 + b"\r\n\r\n")
    assert status_of(answer) == 431
    assert b"larger than 65,536 bytes" in answer
    assert b"application/problem+json" in answer


@pytest.mark.parametrize("flood", [b"X-A: " + b"a" * 1000 + b"\r\n", b"a" * 1000])
def test_headers_that_never_end(server: tuple[httpx.Client, int], flood: bytes) -> None:
    client, process = server
    before = psutil.Process(process).memory_info().rss
    sent = 0
    with connected(client) as link:
        link.sendall(START + (b"" if flood.endswith(b"\n") else b"X-A: "))
        try:
            while sent < 200 << 20:
                link.sendall(flood * 100)
                sent += len(flood) * 100
        except (ConnectionResetError, BrokenPipeError):
            pass
    assert sent < 20 << 20
    assert psutil.Process(process).memory_info().rss - before < 20 << 20


def test_a_request_line_that_never_ends(client: httpx.Client) -> None:
    answer = answer_to(client, b"GET /" + b"a" * 300_000)
    assert answer == b"" or status_of(answer) in {400, 431}


@pytest.mark.parametrize("part", [b"", b"GET /healthz HT", START, START + b"X-A: b\r\n"])
def test_missing_headers_time_out(client: httpx.Client, part: bytes) -> None:
    with connected(client) as link:
        link.sendall(part)
        answer = all_from(link)
    assert status_of(answer) == 408
    assert b"incomplete after 1.0 s" in answer


def test_slow_headers_time_out(client: httpx.Client) -> None:
    with connected(client) as link, pytest.raises((BrokenPipeError, ConnectionResetError)):
        send_slowly(link, START * 20, 0.05)


@pytest.mark.parametrize("head", [BODY, LINES])
def test_missing_body_times_out(client: httpx.Client, head: bytes) -> None:
    answer = answer_to(client, head)
    assert status_of(answer) == 408
    assert b"no data for 1 s" in answer


def test_slow_body_times_out(client: httpx.Client) -> None:
    with connected(client) as link:
        link.sendall(BODY)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            send_slowly(link, b" " * 200, 0.1)


def test_an_endless_body_is_rejected_at_the_limit(client: httpx.Client) -> None:
    head = BODY.replace(b"Content-Length: 5000", b"Transfer-Encoding: chunked")
    chunk = b"ffff\r\n" + b" " * 0xFFFF + b"\r\n"
    with connected(client) as link:
        link.sendall(head)
        try:
            for _ in range(200):
                link.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass
        else:
            assert status_of(all_from(link)) == 413


def test_slow_writers_do_not_block_writes(client: httpx.Client) -> None:
    links = [connected(client) for _ in range(8)]
    for link in links:
        link.sendall(LINES)
    answer = client.put("/v1/assets/other", json={"title": "other"})
    assert answer.status_code in {200, 201}
    for link in links:
        link.close()


def test_trailers_are_limited(server: tuple[httpx.Client, int]) -> None:
    client, process = server
    head = BODY.replace(b"Content-Length: 5000", b"Transfer-Encoding: chunked")
    before, sent = psutil.Process(process).memory_info().rss, 0
    with connected(client) as link:
        link.sendall(head + b"2\r\n{}\r\n0\r\n")
        with suppress(ConnectionResetError, BrokenPipeError):
            while sent < 100 << 20:
                link.sendall(b"X-A: " + b"a" * 1000 + b"\r\n")
                sent += 1007
    assert sent < 20 << 20
    assert psutil.Process(process).memory_info().rss - before < 20 << 20


def test_rest_of_a_refused_body_is_limited(client: httpx.Client) -> None:
    head = START + b"Content-Length: 50\r\n\r\n"
    with connected(client) as link:
        link.sendall(head)
        healthy(link)
        link.sendall(b"a")
        link.settimeout(HANG_SECONDS)
        assert link.recv(65536) == b""


def test_connection_is_reused_after_a_late_complete_body(client: httpx.Client) -> None:
    with connected(client) as link:
        for _ in range(2):
            link.sendall(START + b"Content-Length: 3\r\n\r\n")
            healthy(link)
            link.sendall(b"aaa")
        link.settimeout(0.5)
        with pytest.raises(TimeoutError):
            assert link.recv(1) != b"", "the connection was closed"


def test_client_that_does_not_read_is_disconnected(server: tuple[httpx.Client, int]) -> None:
    client, process = server
    with connected(client) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        port = link.getsockname()[1]
        with suppress(ConnectionResetError, BrokenPipeError, TimeoutError):
            link.settimeout(1)
            for _ in range(2_000):
                link.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: port not in peers_of(process))
        assert port not in peers_of(process)


def peers_of(process: int) -> set[int]:
    """Return the remote ports of open connections."""
    links = psutil.Process(process).net_connections("tcp")
    return {link.raddr.port for link in links if link.raddr and link.status == "ESTABLISHED"}


def test_more_connections_than_the_limit(client: httpx.Client) -> None:
    client.get("/healthz")
    links = [connected(client) for _ in range(60)]
    refused = [all_from(link) for link in links[-5:]]
    assert {status_of(answer) for answer in refused} == {503}
    assert b"Retry-After" in refused[0]
    assert b"40 connections are open" in refused[0]
    assert client.get("/healthz").status_code == 200
    for link in links:
        link.close()
    until(lambda: status_of(answer_to(client, START + b"Connection: close\r\n\r\n")) == 200)


STRANGE = {
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "HTTP/3.7": b"GET /healthz HTTP/3.7\r\nHost: localhost\r\n\r\n",
    "no method": b" / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "length of letters": BODY.replace(b"5000", b"abc"),
    "negative length": BODY.replace(b"5000", b"-1"),
    "huge length": BODY.replace(b"5000", b"9" * 30),
    "two lengths": BODY.replace(b"5000", b"5\r\nContent-Length: 6"),
    "length and chunks": BODY.replace(b"5000", b"5\r\nTransfer-Encoding: chunked") + b"0\r\n\r\n",
    "chunk of letters": LINES + b"zz\r\n",
    "huge chunk": LINES + b"f" * 40 + b"\r\n",
    "NUL in the path": b"GET /v1/assets/a%00b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "bytes in the path": b"GET /v1/assets/\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "bad UTF-8 in the path": b"GET /v1/assets/%ff%fe HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "surrogates": b"GET /v1/search?q=%ed%a0%80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "bytes in a header": START + b"X-Request-Id: \xff\x00\r\n\r\n",
    "NUL in a header": START + b"X-A: \x00\r\n\r\n",
    "folded header": START + b"X-A: a\r\n b\r\n\r\n",
    "no host": b"GET /v1/status HTTP/1.1\r\n\r\n",
    "another host": b"GET /v1/status HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "absolute": b"GET http://evil.example/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "CONNECT": b"CONNECT localhost:22 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TRACE": b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "upgrade": START + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "expects": BODY.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"),
    "expects wonders": START + b"Expect: wonders\r\n\r\n",
    "a hundred at once": (START + b"\r\n") * 100,
    "dots": b"GET /static/../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "coded dots": b"GET /static/%2e%2e/%2e%2e/app.py HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("name", sorted(STRANGE))
def test_malformed_requests(server: tuple[httpx.Client, int], name: str) -> None:
    client, process = server
    answer = answer_to(client, STRANGE[name])
    for line in answer.split(b"HTTP/1.1 ")[1:]:
        assert int(line[:3]) < 500, answer
    assert b"root:" not in answer
    assert b"Traceback" not in answer
    assert psutil.pid_exists(process)
    assert client.get("/healthz").status_code == 200
