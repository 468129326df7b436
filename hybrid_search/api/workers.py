"""Several processes behind one address: one writes, the others read.

The process that gets the lock of the data folder writes. When it ends, the process that replaces
it takes the lock.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead
from starlette.applications import Starlette
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from hybrid_search.api.app import create_app
from hybrid_search.api.connection_limits import LimitedConfig
from hybrid_search.api.log_format import configure_logs
from hybrid_search.api.metrics import COUNTS
from hybrid_search.core.errors import IndexLocked, IndexUnusable, SearchError
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.settings.settings import Settings
from hybrid_search.stores.embedded.data_folder import lock_writing

_AGAIN = 0.05
_log = logging.getLogger("hybrid_search.web")


def serve_together(
    settings: Settings, listener: socket.socket, *, write: bool, announce: Callable[[], None]
) -> None:
    """Serve with ``server.workers`` processes until a stop signal.

    ``announce`` is called once no other service holds the lock for writing.

    Raises ``IndexLocked`` while another service writes, and ``IndexUnusable`` when a process
    cannot start.
    """
    if write:
        with ExitStack() as stack:
            lock_writing(settings, stack)
    announce()
    with tempfile.TemporaryDirectory(prefix="hybrid-search-") as folder:
        os.environ[COUNTS] = folder
        worker = Worker(_share_of(settings), Path(folder) / "writer.sock", write)
        section = settings.server
        config = LimitedConfig(worker, section, factory=True, workers=section.workers)
        _Workers(config, [listener]).run()


@dataclass(frozen=True, slots=True)
class Worker:
    """Creates the application of one process, in that process."""

    settings: Settings
    socket: Path
    """Where the writing process accepts requests of the others."""
    write: bool

    def __call__(self) -> Starlette:
        """The application; exits the process when it cannot be created."""
        configure_logs(self.settings.server.log_level)
        _end_with_parent()
        try:
            return create_app(self._open(), self.socket if self.write else None)
        except SearchError as failure:
            _log.error(str(failure))
            sys.exit(STARTUP_FAILURE)

    def _open(self) -> Index:
        """An index for writing if no other process has it, else one for reading."""
        while self.write:
            try:
                return open_engine(self.settings, write=True, maintenance="thread")
            except IndexLocked:
                if _answers(self.socket):
                    break
                time.sleep(_AGAIN)
        return open_engine(self.settings, maintenance="thread")


class _Workers(Multiprocess):
    """Uvicorn's supervisor, without the signals that change the number of processes."""

    def run(self) -> None:
        """Run until a stop signal, or until a process cannot start."""
        super().run()
        if any(process.exitcode == STARTUP_FAILURE for process in self.processes):
            raise IndexUnusable("server.workers: a process could not start; the log above says why")

    def keep_subprocess_alive(self) -> None:
        """Replace processes that have ended.

        Unlike uvicorn's, this does not ping them: a ping blocks when a process ends during it.
        """
        for place, process in enumerate(self.processes):
            if process.process.is_alive():
                continue
            process.join()
            mark_process_dead(process.pid, os.environ[COUNTS])  # type: ignore[no-untyped-call]  # no types
            if process.exitcode == STARTUP_FAILURE:
                self.should_exit.set()
                return
            _log.warning(
                "process %s ended with exit code %s; starting another",
                process.pid,
                process.exitcode,
            )
            self.processes[place] = Process(self.config, self.sockets)
            self.processes[place].start()

    def handle_hup(self) -> None:
        """Ignore the signal: settings do not change while the service runs."""

    handle_ttin = handle_ttou = handle_hup


def _share_of(settings: Settings) -> Settings:
    """The settings, with the cores divided among the processes."""
    parts = dict(settings)
    threads = max(1, (os.cpu_count() or 1) // settings.server.workers)
    if not settings.embedding.threads:
        parts["embedding"] = settings.embedding.model_copy(update={"threads": threads})
    # Settings read from a file have a class that cannot be pickled.
    return Settings.model_construct(**parts)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as link:
        return link.connect_ex(str(path)) == 0


def _end_with_parent() -> None:
    """Stop this process when its parent has ended."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
