"""A real server process with six assets, and a client."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import IO

import httpx
import pytest

from hybrid_search.cli.ingest_paths import ingest_paths
from hybrid_search.settings.settings import load_settings
from tests.progress import HANG_SECONDS, until

COMMAND = [sys.executable, "-m", "hybrid_search.cli.main"]


def ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False  # the listener is being handed over


@contextmanager
def serving(
    data: Path,
    *words: str,
    log: IO[bytes] | None = None,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[tuple[httpx.Client, int]]:
    """Yield a client of a ready server and its process id; its log goes to ``log``."""
    command = [*COMMAND, "serve", "--data-dir", str(data), "--port", "0", "--json", *words]
    environment = {f"HYBRID_SEARCH_{name}": value for name, value in settings.items()}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **environment}
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            with httpx.Client(base_url=json.loads(line)["address"], timeout=HANG_SECONDS) as client:
                until(lambda: ready(client))
                yield client, process.pid
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            assert process.wait(HANG_SECONDS) == 0


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory, manifest: Path) -> Path:
    """A closed index of the six ads. Copy it to write."""
    folder = tmp_path_factory.mktemp("indexed") / "data"
    ingest_paths(load_settings(folder), [manifest], quiet=True)
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory, indexed: Path) -> Path:
    """The folder of the server that ``client`` is a client of."""
    return Path(shutil.copytree(indexed, tmp_path_factory.mktemp("served") / "data"))


@pytest.fixture(scope="session")
def client(data: Path) -> Iterator[httpx.Client]:
    """A client of a writing server with a small body limit."""
    with serving(data, settings={"SERVER__MAX_BODY_BYTES": "200000"}) as (connected, _):
        yield connected
