"""Several processes behind one address: one writes, and the others forward writes to it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import quote

import httpx
import psutil
import pytest

from tests.api.conftest import COMMAND, serving
from tests.progress import HANG_SECONDS, until

ROUNDS = 12
"""Enough new connections that both processes get some (fails once in 2,048 runs)."""
_numbers = count()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, indexed: Path) -> Iterator[tuple[str, int]]:
    """Yield the address and process id of a two-process service."""
    data = Path(shutil.copytree(indexed, tmp_path_factory.mktemp("pair") / "data"))
    with serving(data, "--workers", "2", settings={"SERVER__DEADLINE_SECONDS": "5"}) as (
        client,
        process,
    ):
        until(lambda: len(workers(process)) == 2 and written(str(client.base_url)))
        yield str(client.base_url), process


def test_writes_are_visible_to_all_processes_at_once(pair: tuple[str, int]) -> None:
    address, _ = pair
    for _ in range(ROUNDS):
        name = f"동백 {next(_numbers)}"
        stored = httpx.put(f"{address}v1/assets/{name}", json={"title": name}, timeout=HANG_SECONDS)
        assert stored.status_code == 201
        for _ in range(3):
            found = httpx.get(f"{address}v1/search", params={"q": f'"{name}"', "mode": "text"})
            assert name in [hit["id"] for hit in found.json()["hits"]]


def test_every_process_responds_and_requests_are_counted_once(pair: tuple[str, int]) -> None:
    address, process = pair

    def spent() -> list[float]:
        return [sum(w.cpu_times()[:2]) for w in workers(process)]

    def counted(operation: str) -> float:
        text = httpx.get(f"{address}metrics").text
        lines = [line for line in text.splitlines() if "requests_total" in line]
        return sum(float(line.split()[-1]) for line in lines if f'"{operation}"' in line)

    searches, writes, before = counted("search"), counted("deleteAsset"), spent()
    for _ in range(100):
        httpx.get(f"{address}v1/search", params={"q": "circle", "explain": "true"})
        httpx.delete(f"{address}v1/assets/nobody")
    assert counted("search") == searches + 100
    assert counted("deleteAsset") == writes + 100
    assert all(after > was for after, was in zip(spent(), before, strict=True))


def test_status_is_that_of_the_writing_process(pair: tuple[str, int]) -> None:
    address, _ = pair
    assert {httpx.get(f"{address}v1/status").json()["writable"] for _ in range(ROUNDS)} == {True}


def test_forwarded_request_keeps_the_key_and_its_errors(pair: tuple[str, int]) -> None:
    address, _ = pair
    for number in range(ROUNDS):
        asked = {"x-request-id": f"mine-{number}", "x-forwarded-for": "203.0.113.9"}
        answer = httpx.put(
            f"{address}v1/assets/x", content=b"{", headers={**asked, "content-type": "text/x"}
        )
        assert answer.status_code == 415
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-request-id"] == f"mine-{number}"
        assert answer.json()["request_id"] == f"mine-{number}"
    lines = httpx.get(f"{address}v1/audit").json()["lines"]
    ours = [line for line in lines if line["request_id"].startswith("mine-")]
    assert len(ours) == ROUNDS


def test_stream_and_id_with_any_character_are_forwarded(pair: tuple[str, int]) -> None:
    address, _ = pair
    for number in range(4):
        name = f"a/b {number} %2F?#é"
        line = json.dumps({"id": name, "title": "흐르는 물"}).encode() + b"\n"
        kind = {"content-type": "application/x-ndjson"}
        report = httpx.post(f"{address}v1/assets", content=iter([line]), headers=kind)
        assert report.json()["indexed"] == 1
        path = f"{address}v1/assets/{quote(name)}"
        assert httpx.delete(path).status_code == 204
        assert httpx.delete(path).status_code == 404


def test_second_service_is_rejected_before_it_announces_itself(pair: tuple[str, int]) -> None:
    data = str(httpx.get(f"{pair[0]}v1/status").json()["data_dir"])
    second = subprocess.run(
        [*COMMAND, "serve", "--data-dir", data, "--port", "0", "--json", "--workers", "2"],
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_SECONDS,
    )
    assert (second.returncode, second.stdout) == (3, "")
    assert "another process writes" in second.stderr


def test_badly_encoded_query_does_no_harm(pair: tuple[str, int]) -> None:
    host, port = httpx.URL(pair[0]).host, httpx.URL(pair[0]).port
    for _ in range(ROUNDS):
        with socket.create_connection((host, port)) as link:
            link.sendall(b"GET /v1/status?q=\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert link.recv(64).split()[1] in {b"200", b"400"}


def test_another_process_becomes_writer_after_a_kill(pair: tuple[str, int]) -> None:
    address, process = pair
    for _ in range(2):
        before = {worker.pid for worker in workers(process)}
        os.kill(writing(process), signal.SIGKILL)
        until(lambda: written(address))
        until(lambda: len(workers(process)) == 2)
        assert len({worker.pid for worker in workers(process)} - before) == 1
    text = httpx.get(f"{address}v1/search", params={"q": "동백", "mode": "text"}).json()
    assert text["candidates"] >= ROUNDS


def test_searches_continue_while_the_writer_hangs(pair: tuple[str, int]) -> None:
    address, process = pair
    os.kill(writing(process), signal.SIGSTOP)
    try:
        found = httpx.get(f"{address}v1/search", params={"q": "circle"}, timeout=HANG_SECONDS)
        assert found.status_code == 200
        late = httpx.get(f"{address}v1/status", timeout=HANG_SECONDS)
        assert late.status_code == 503
        assert "5 s, the limit (server.deadline_seconds)" in late.json()["detail"]
    finally:
        os.kill(writing(process), signal.SIGCONT)


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    command = [*COMMAND, "serve", "--data-dir", str(tmp_path / "data"), "--port", "0", "--json"]
    with subprocess.Popen(
        [*command, "--workers", "2"], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        until(lambda: len(workers(parent.pid)) == 2)
        children = workers(parent.pid)
        parent.kill()
    gone, alive = psutil.wait_procs(children, timeout=HANG_SECONDS)
    assert not alive
    assert len(gone) == 2


def test_service_that_cannot_start_reports_the_reason(tmp_path: Path, indexed: Path) -> None:
    data = Path(shutil.copytree(indexed, tmp_path / "data"))
    catalog = bytearray((data / "catalog.sqlite").read_bytes())
    catalog[100:4096] = bytes(3996)
    (data / "catalog.sqlite").write_bytes(catalog)
    done = subprocess.run(
        [*COMMAND, "serve", "--data-dir", str(data), "--port", "0", "--workers", "2"],
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_SECONDS,
    )
    assert done.returncode == 3
    assert "catalog" in done.stderr
    assert "server.workers" in done.stderr
    assert "Traceback" not in done.stderr


def workers(parent: int) -> list[psutil.Process]:
    """Return the worker processes, oldest first."""
    children = psutil.Process(parent).children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def writing(parent: int) -> int:
    """Return the process that holds the writer lock."""
    for worker in workers(parent):
        if any(file.path.endswith("writer.lock") for file in worker.open_files()):
            return int(worker.pid)
    raise AssertionError("nobody writes")


def written(address: str) -> bool:
    """Return whether a write is accepted."""
    with httpx.Client(timeout=HANG_SECONDS) as client:
        answer = client.put(f"{address}v1/assets/probe", json={"title": f"probe {time.time()}"})
        assert answer.status_code in {200, 201, 503}, answer.text
        if answer.status_code == 503:
            assert answer.headers["retry-after"].isdigit()
        return answer.status_code != 503
