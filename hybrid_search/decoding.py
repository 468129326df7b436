"""Pictures checked and prepared apart from the process that encodes them.

``python -m hybrid_search.decoding`` answers requests from its standard input until that ends, so
no decoder outlives its parent, however the parent is ended. It imports Pillow and numpy alone:
it starts in a fifth of a second and takes 40 MB, where ``multiprocessing`` would import the main
program again in every process. A decoder that is killed takes one picture with it, which is known.
"""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import IO, Any

from hybrid_search.errors import EngineFailure, InvalidPicture
from hybrid_search.images import PictureLimits, PreparedPicture, prepare_picture
from hybrid_search.preparation import Preparation

FEW = 8
"""So many pictures are decoded sooner than a process has started."""


class Decoders:
    """Decodes pictures side by side: many in processes, a few in threads of this one.

    Processes start with the first large batch and stay until ``close``.
    """

    def __init__(self, limits: PictureLimits, workers: int = 2) -> None:
        self._limits = limits
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        self._idle: queue.SimpleQueue[_Process] = queue.SimpleQueue()

    def prepare(
        self, pictures: list[bytes], preparation: Preparation
    ) -> list[Future[PreparedPicture]]:
        """What becomes of each picture, later, in their order.

        A result raises ``InvalidPicture`` for bytes that are none, and for a picture at which
        decoders were killed twice.
        """
        work = self._apart if len(pictures) > FEW else prepare_picture
        return [self._threads.submit(work, data, self._limits, preparation) for data in pictures]

    def close(self) -> None:
        """Drop what has not begun, finish what has, and end the processes."""
        self._threads.shutdown(cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().close()

    def _apart(
        self, data: bytes, limits: PictureLimits, preparation: Preparation
    ) -> PreparedPicture:
        # A decoder may be killed for memory that something else took: a fresh one tries again.
        for start in (self._waiting, _Process):
            process = start()
            try:
                answer = process.ask((data, limits, preparation))
            except (OSError, EOFError, pickle.UnpicklingError):
                end = process.close()
                continue
            self._idle.put(process)
            if isinstance(answer, PreparedPicture):
                return answer
            raise InvalidPicture(str(answer))
        raise InvalidPicture(f"image: two decoders ended at it, the last one with {end}")

    def _waiting(self) -> _Process:
        """A process that has nothing to do, or a new one; as many as threads at most."""
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return _Process()


class _Process:
    """One decoding process. Not safe to share between threads."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", "-m", "hybrid_search.decoding"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        try:
            # In a group of its own Ctrl-C reaches only the parent, which then closes its input.
            self._child = subprocess.Popen(  # noqa: S603  the command is this program
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                process_group=0,
            )
        except OSError as failure:
            raise EngineFailure(f"decoding: cannot start a process: {failure}") from failure

    def ask(self, request: tuple[bytes, PictureLimits, Preparation]) -> Any:
        """The answer; raises ``OSError``, ``EOFError`` or ``UnpicklingError`` where it died."""
        requests, answers = self._child.stdin, self._child.stdout
        if requests is None or answers is None:
            raise EOFError
        pickle.dump(request, requests, pickle.HIGHEST_PROTOCOL)
        requests.flush()
        return pickle.load(answers)  # noqa: S301  written by our own code

    def close(self) -> int:
        """Let the process end; its exit code, or the negative number of the signal."""
        with suppress(OSError):
            self._child.communicate()
        return self._child.returncode


def answer_all(requests: IO[bytes], answers: IO[bytes]) -> None:
    """A ``PreparedPicture``, or the reason for none, for each request until they end."""
    with suppress(EOFError, BrokenPipeError, pickle.UnpicklingError):
        while True:
            request = pickle.load(requests)  # noqa: S301  written by the parent
            pickle.dump(_answer(*request), answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()


def _answer(data: bytes, limits: PictureLimits, preparation: Preparation) -> PreparedPicture | str:
    try:
        return prepare_picture(data, limits, preparation)
    except InvalidPicture as failure:
        return str(failure)


if __name__ == "__main__":
    answer_all(sys.stdin.buffer, sys.stdout.buffer)
