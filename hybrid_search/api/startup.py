"""What answers while the index is still being opened: alive, and not ready."""

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
def answering_meanwhile(listener: socket.socket, section: ServerSection) -> Iterator[None]:
    """Answer in a thread what comes to the listener until the context ends.

    Nobody then takes what comes: it waits until somebody else does.
    """
    server = uvicorn.Server(LimitedConfig(_starting, section))
    with listener.dup() as own:
        thread = threading.Thread(target=server.run, args=([own],), name="starting", daemon=True)
        thread.start()
        try:
            yield
        finally:
            # One that is told to stop before it has begun would leave its connections open.
            while thread.is_alive() and not server.started:
                time.sleep(0.01)
            server.should_exit = True
            thread.join()


async def _starting(scope: Scope, receive: Receive, send: Send) -> None:
    """Well, and no use yet."""
    if scope["type"] != "http":
        return
    if scope["path"] == "/healthz":
        answer = json_response({"status": "ok"})
    else:
        wait = {"Retry-After": RETRY_SECONDS}
        answer = problem(503, "Not ready", "the index is being opened", wait)
    await answer(scope, receive, send)
