"""Raw connections to a server, to send it what no client would."""

import socket

import httpx

START = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
BODY = (
    b"PUT /v1/assets/slow HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: 5000\r\n\r\n"
)
LINES = (
    b"POST /v1/assets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


def connected(client: httpx.Client) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=20)


def answer_to(client: httpx.Client, data: bytes) -> bytes:
    """All that comes back until the server closes, or for a second after the last of it."""
    with connected(client) as link:
        link.sendall(data)
        return all_from(link)


def all_from(link: socket.socket) -> bytes:
    link.settimeout(3)
    found = b""
    try:
        while part := link.recv(65536):
            found += part
            if b"\r\n\r\n" in found:
                link.settimeout(0.3)
    except (TimeoutError, ConnectionResetError):
        pass
    return found


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def healthy(link: socket.socket) -> None:
    """Read one whole answer to ``START`` and no more."""
    answer = b""
    while not answer.endswith(b"}"):
        answer += (part := link.recv(65536))
        assert part
    assert status_of(answer) == 200
