"""What tests of several rooms share."""

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.small_corpus import write_manifest


@pytest.fixture(scope="session", autouse=True)
def no_outbound_connection() -> Iterator[None]:
    """Nothing that is tested in this process may connect to another machine."""
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
    """A manifest of six adverts, two pictures beside it."""
    return write_manifest(tmp_path_factory.mktemp("ads"))
