"""Raw connections to a server, for malformed requests."""

import re
import socket
import time

import httpx

from tests.progress import HANG_SECONDS

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
    address = (client.base_url.host, client.base_url.port or 80)
    return socket.create_connection(address, timeout=HANG_SECONDS)


def send_slowly(link: socket.socket, data: bytes, pause: float) -> None:
    """Send byte by byte with a pause after each."""
    for byte in data:
        link.sendall(bytes([byte]))
        time.sleep(pause)


def answer_to(client: httpx.Client, data: bytes) -> bytes:
    """Return all data until the server closes or sends nothing for a second."""
    with connected(client) as link:
        link.sendall(data)
        return all_from(link)


def all_from(link: socket.socket) -> bytes:
    link.settimeout(HANG_SECONDS)
    found = b""
    try:
        while part := link.recv(65536):
            found += part
            if is_whole(found):
                link.settimeout(0.3)
    except (TimeoutError, ConnectionResetError):
        pass
    return found


def is_whole(answer: bytes) -> bool:
    """Whether all of the first answer has come."""
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def healthy(link: socket.socket) -> None:
    """Read exactly one response to ``START``."""
    answer = b""
    while not answer.endswith(b"}"):
        answer += (part := link.recv(65536))
        assert part
    assert status_of(answer) == 200
