"""Fixtures shared by several test packages."""

import ipaddress
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import settings

from tests.progress import HANG_SECONDS
from tests.rounds import rounds
from tests.small_corpus import write_manifest

settings.register_profile("rounds", deadline=None, max_examples=rounds(100, 1_000))
settings.load_profile("rounds")

LONG = (
    *("test_dev_corpus.py", "test_lab.py", "test_workers.py", "test_auth.py", "test_swapping.py"),
    *("test_hostile_queries.py", "test_damage.py", "test_index.py", "test_crash.py"),
    *("test_confident.py", "test_offline.py", "test_kills.py", "test_generations.py"),
)
"""Slow files with few tests; run last, they would leave the other process idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


@pytest.fixture(scope="session", autouse=True)
def no_outbound_connection() -> Iterator[None]:
    """Forbid connections to other machines in this process."""
    connect = socket.socket.connect

    def guarded(link: socket.socket, address: object) -> None:
        if link.family in {socket.AF_INET, socket.AF_INET6}:
            host = address[0] if isinstance(address, tuple) else ""
            assert host == "localhost" or ipaddress.ip_address(host).is_loopback, address
        connect(link, address)  # type: ignore[arg-type]

    socket.socket.connect = guarded  # type: ignore[method-assign,assignment]
    yield
    socket.socket.connect = connect  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of six assets with two pictures."""
    return write_manifest(tmp_path_factory.mktemp("ads"))


@pytest.fixture(scope="session")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder made by ``hybrid-search demo``, and its output; read only."""
    # The parent folder is shared by all test processes; the first one builds the index.
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "demonstration"
    told = folder.with_suffix(".json")
    with FileLock(f"{folder}.lock"):
        if not told.exists():
            words = ["demo", "--no-serve", "--json", "--data-dir", str(folder)]
            command = [sys.executable, "-m", "hybrid_search.cli.main", *words]
            # On a busy machine a picture may take longer than the usual limit.
            patient = {**os.environ, "HYBRID_SEARCH_PICTURES__DECODE_SECONDS": str(HANG_SECONDS)}
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=patient)
            assert done.returncode == 0, done.stderr
            told.write_text(done.stdout, "utf-8")
    return folder, json.loads(told.read_text("utf-8"))
