"""Start-up: alive at once, ready when the index is complete and the model loaded."""

import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from hybrid_search.api.startup import answering_not_ready
from hybrid_search.settings.sections import ServerSection
from tests.progress import HANG_SECONDS, until

OPENING = "the index is being opened"
SLOW_START = """
import sys, time
from pathlib import Path
from hybrid_search.settings.settings import load_settings
from hybrid_search.api import server
at_once = server.open_engine
def slowly(*words, **named):
    while not Path(sys.argv[3]).exists():
        time.sleep(0.02)
    return at_once(*words, **named)
server.open_engine = slowly
settings = load_settings(Path(sys.argv[1]))
section = settings.server.model_copy(update={"host": "127.0.0.1", "port": int(sys.argv[2])})
settings = settings.model_copy(update={"server": section})
server.serve(settings, write=True, announce=lambda address: None)
"""


def test_alive_and_not_ready_while_the_index_opens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with (
            answering_not_ready(listener, ServerSection()),
            httpx.Client(base_url=address) as client,
        ):
            assert client.get("/healthz").status_code == 200
            for told in (client.get("/readyz"), client.put("/v1/assets/a", json={"title": "x"})):
                assert (told.status_code, told.json()["detail"]) == (503, OPENING)
                assert int(told.headers["Retry-After"]) > 0
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{address}/readyz", timeout=0.2)  # the socket listens, but nothing answers


def test_failed_opening_ends_with_its_error() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(ValueError, match="no index"),
        answering_not_ready(listener, ServerSection()),
    ):
        raise ValueError("no index")


def test_503_until_it_is_open_and_then_200(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    asked = tmp_path / "asked"
    command = [sys.executable, "-c", SLOW_START, str(tmp_path / "data"), str(port), str(asked)]
    with subprocess.Popen(command) as process:
        try:
            told = statuses(f"http://127.0.0.1:{port}/readyz", asked.touch)
        finally:
            process.terminate()
        assert process.wait(HANG_SECONDS) == 0
    assert (503, OPENING) in told
    assert [status for status, _ in told if status != 503] == [200]


def statuses(address: str, on_answer: Callable[[], None]) -> list[tuple[int, str]]:
    """Statuses and details up to the first 200; calls ``on_answer`` after each answer."""
    told: list[tuple[int, str]] = []

    def ready() -> bool:
        with suppress(httpx.TransportError):  # not listening yet, or handing over
            answer = httpx.get(address, timeout=HANG_SECONDS)
            told.append((answer.status_code, answer.json().get("detail", "")))
            on_answer()
        return bool(told) and told[-1][0] == 200

    until(ready, told)
    return told
