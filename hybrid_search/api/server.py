"""Runs the HTTP service of one data folder, in one process or several."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial

import uvicorn

from hybrid_search.api.app import create_app
from hybrid_search.api.auth import check_address
from hybrid_search.api.connection_limits import LimitedConfig
from hybrid_search.api.log_format import configure_logs
from hybrid_search.api.startup import answering_not_ready
from hybrid_search.api.workers import serve_together
from hybrid_search.core.errors import InvalidConfig
from hybrid_search.engine.factory import open_engine
from hybrid_search.settings.settings import Settings

BACKLOG = 1024
_log = logging.getLogger("hybrid_search.web")


def serve(settings: Settings, *, write: bool, announce: Callable[[str], None]) -> None:
    """Serve until a stop signal; requests in progress may finish.

    ``announce`` receives the address. A single process calls it once the index is open; before
    that every request except ``/healthz`` is answered 503. Several processes call it at once.
    Raises ``InvalidConfig`` for an address that cannot be bound, and the errors of ``open_engine``.
    """
    section = settings.server
    configure_logs(section.log_level)
    if warning := check_address(settings):
        _log.warning(warning)
    with _listen(section.host, section.port) as listener:
        announce_address = partial(announce, _address(listener))
        if section.workers > 1:
            serve_together(settings, listener, write=write, announce=announce_address)
            return
        with answering_not_ready(listener, section):
            app = create_app(open_engine(settings, write=write, maintenance="thread"))
        announce_address()
        _run(uvicorn.Server(LimitedConfig(app, section)), listener)


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    # Uvicorn raises the signal again after its shutdown; then there is nothing left to do.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    server.run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as failure:
        raise InvalidConfig(
            f"server: cannot listen on {host} port {port}, {failure.strerror};"
            " choose another with --port, or --port 0 for any free one"
        ) from None


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
