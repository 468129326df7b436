"""Random requests: no 5xx, no crash, and no memory leak."""

import json
from pathlib import Path

import httpx
import psutil

from tests.api.conftest import serving
from tests.api.fuzzing import Asked, Fuzzer, odd_pictures
from tests.progress import until
from tests.shared_data import shared

REQUESTS = 500
GROWN_MB = 150
"""Allowed growth of the query, picture and ranking caches."""


def send(client: httpx.Client, asked: Asked) -> httpx.Response | None:
    """Return the response; ``None`` if the client library cannot send the request."""
    params = [(name, value.encode("utf-8", "surrogatepass")) for name, value in asked.params]
    try:
        url = httpx.URL(str(client.base_url).rstrip("/") + asked.path, params=params)
        headers = {name: value.encode("latin-1") for name, value in asked.headers.items()}
        return client.request(asked.method, url, headers=headers, content=asked.content)  # type: ignore[arg-type]
    except (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeError, TypeError):
        return None
    except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
        # Refused before all of it was sent; the next request shows whether the service lives.
        assert client.get("/healthz").status_code == 200
        return None


def check(asked: Asked, answer: httpx.Response) -> None:
    assert answer.status_code < 500, (asked, answer.text)
    assert "Traceback" not in answer.text
    if answer.status_code >= 400 and asked.method != "HEAD":
        assert answer.headers["content-type"] == "application/problem+json", (asked, answer.text)
        told = json.loads(answer.content)
        assert told["status"] == answer.status_code
        assert told["detail"]


def test_random_requests(tmp_path: Path) -> None:
    fuzzer = Fuzzer(1, odd_pictures(shared("data/odd")))
    with serving(tmp_path / "data", settings={"SERVER__LOG_LEVEL": "error"}) as (client, process):
        server, answered = psutil.Process(process), 0
        for number in range(REQUESTS):
            if (answer := send(client, asked := fuzzer.request())) is not None:
                check(asked, answer)
                answered += 1
            if number == REQUESTS // 5:
                settled = server.memory_info().rss
        until(lambda: (server.memory_info().rss - settled) >> 20 < GROWN_MB, "memory is not freed")
        assert client.get("/readyz").status_code == 200
        assert server.is_running()
        assert answered > REQUESTS * 0.8
