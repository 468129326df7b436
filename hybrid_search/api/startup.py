"""Responses while the index is being opened: healthy, but not ready."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import Receive, Scope, Send

from hybrid_search.api.connection_limits import LimitedConfig
from hybrid_search.api.problems import RETRY_SECONDS, problem
from hybrid_search.api.responses import json_response
from hybrid_search.settings.sections import ServerSection


@contextmanager
def answering_not_ready(listener: socket.socket, section: ServerSection) -> Iterator[None]:
    """Answer requests at the listener in a thread until the context ends.

    After that, connections wait in the backlog until another server accepts them.
    """
    server = uvicorn.Server(LimitedConfig(_starting, section))
    with listener.dup() as own:
        thread = threading.Thread(target=server.run, args=([own],), name="starting", daemon=True)
        thread.start()
        try:
            yield
        finally:
            # A server that is stopped before it has started would leave connections open.
            while thread.is_alive() and not server.started:
                time.sleep(0.01)
            server.should_exit = True
            thread.join()


async def _starting(scope: Scope, receive: Receive, send: Send) -> None:
    """200 for ``/healthz``, 503 for everything else."""
    if scope["type"] != "http":
        return
    if scope["path"] == "/healthz":
        answer = json_response({"status": "ok"})
    else:
        wait = {"Retry-After": RETRY_SECONDS}
        answer = problem(503, "Not ready", "the index is being opened", wait)
    await answer(scope, receive, send)
