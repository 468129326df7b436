"""The server process: health, metrics, one writer, graceful stop."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.api.conftest import COMMAND, serving
from tests.progress import HANG_SECONDS


def test_health_and_status(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    status = client.get("/v1/status").json()
    assert status["assets"] == status["lexical"]["documents"] == 6
    assert status["vector"]["vectors"] == 3
    assert status["encoding"]["loaded"]


def test_metrics_count_requests_by_operation(client: httpx.Client) -> None:
    def count() -> float:
        text = client.get("/metrics").text
        wanted = 'hybrid_search_requests_total{operation="search",status="422"} '
        lines = [line for line in text.splitlines() if line.startswith(wanted)]
        return float(lines[0].removeprefix(wanted)) if lines else 0.0

    before = count()
    client.get("/v1/search", params={"size": "0"})
    assert count() == before + 1


def test_an_equal_query_is_encoded_once(client: httpx.Client) -> None:
    def encoding() -> dict[str, int]:
        counts: dict[str, int] = client.get("/v1/status").json()["encoding"]
        return counts

    client.get("/v1/search", params={"q": "a query of its own"})
    before = encoding()
    client.get("/v1/search", params={"q": "a query of its own", "size": "3"})
    after = encoding()
    assert after["cache_misses"] == before["cache_misses"]
    assert after["cache_hits"] == before["cache_hits"] + 1


def test_the_page_loads_only_its_own_files(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    for name in ("search.js", "page.css", "icon.svg"):
        assert f"/static/{name}" in page.text
        assert client.get(f"/static/{name}").status_code == 200
    assert client.get("/static/../app.py").status_code == 404


def test_one_process_writes_and_another_reads(data: Path, client: httpx.Client) -> None:
    second = subprocess.run(
        [*COMMAND, "serve", "--data-dir", str(data), "--port", "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_SECONDS,
    )
    assert second.returncode == 3
    assert "another process writes" in second.stderr
    with serving(data, "--read-only") as (reader, _):
        refused = reader.put("/v1/assets/mirror", json={"title": "거울"})
        assert refused.status_code == 403
        assert client.put("/v1/assets/mirror", json={"title": "거울"}).status_code == 201
        hits = reader.get("/v1/search", params={"q": "거울", "mode": "text"}).json()["hits"]
        assert [hit["id"] for hit in hits] == ["mirror"]
    assert client.delete("/v1/assets/mirror").status_code == 204


def test_port_in_use_is_a_one_line_error(data: Path, client: httpx.Client) -> None:
    port = str(client.base_url.port)
    done = subprocess.run(
        [*COMMAND, "serve", "--read-only", "--data-dir", str(data), "--port", port],
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_SECONDS,
    )
    assert done.returncode == 2
    assert f"port {port}" in done.stderr
    assert "--port 0" in done.stderr
    assert "Traceback" not in done.stderr


def test_running_request_is_finished_after_a_signal(tmp_path: Path) -> None:
    began, told = threading.Event(), threading.Event()
    answers: list[httpx.Response] = []

    def lines() -> Iterator[bytes]:
        yield json.dumps({"id": "before", "title": "before the signal"}).encode() + b"\n"
        began.set()
        assert told.wait(HANG_SECONDS)
        yield json.dumps({"id": "after", "title": "after the signal"}).encode() + b"\n"

    with serving(tmp_path / "data") as (client, process):

        def upload() -> None:
            headers = {"content-type": "application/x-ndjson"}
            answers.append(client.post("/v1/assets", content=lines(), headers=headers))

        running = threading.Thread(target=upload)
        running.start()
        assert began.wait(HANG_SECONDS)
        client.get("/healthz")
        os.kill(process, signal.SIGTERM)
        told.set()
        running.join(HANG_SECONDS)
    assert answers[0].json()["indexed"] == 2
    done = subprocess.run(
        [*COMMAND, "status", "--data-dir", str(tmp_path / "data"), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["assets"] == 2
