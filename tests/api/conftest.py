"""A real server process over six adverts, and a client of it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import IO

import httpx
import pytest

COMMAND = [sys.executable, "-m", "hybrid_search.cli.main"]


@contextmanager
def serving(
    data: Path,
    *words: str,
    log: IO[bytes] | None = None,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[tuple[httpx.Client, int]]:
    """A client of a server that is ready, and the server's process id; its log goes to ``log``."""
    command = [*COMMAND, "serve", "--data-dir", str(data), "--port", "0", "--json", *words]
    environment = {f"HYBRID_SEARCH_{name}": value for name, value in settings.items()}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **environment}
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            with httpx.Client(base_url=json.loads(line)["address"], timeout=60) as client:
                _until_ready(client)
                yield client, process.pid
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0


def _until_ready(client: httpx.Client) -> None:
    deadline = time.monotonic() + 60
    while (answer := client.get("/readyz")).status_code != 200:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory, manifest: Path) -> Path:
    folder = tmp_path_factory.mktemp("served") / "data"
    done = subprocess.run(
        [*COMMAND, "ingest", str(manifest), "--data-dir", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def client(data: Path) -> Iterator[httpx.Client]:
    """A client of a server that writes, with a small limit of a body."""
    with serving(data, settings={"SERVER__MAX_BODY_BYTES": "200000"}) as (connected, _):
        yield connected
