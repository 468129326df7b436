"""Pictures checked and prepared apart from the process that encodes them.

``python -m hybrid_search.images.decoder_pool`` answers requests from its standard input until that
ends, so no decoder outlives its parent, however the parent is ended. It imports Pillow and numpy
alone: it starts in a fifth of a second and takes 40 MB, where ``multiprocessing`` would import the
main program again in every process. A decoder that is killed takes one picture with it, which is
known.

What goes through the pipes is framed: a length, a JSON object of that length, and after it the
bytes whose number the object tells. Nothing that is read can be more than bytes and numbers.
"""

from __future__ import annotations

import os
import queue
import struct
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from typing import IO, Any

import numpy as np
import orjson

from hybrid_search.core import PictureFacts
from hybrid_search.core.errors import EngineFailure, InvalidPicture
from hybrid_search.core.picture_limits import PictureLimits
from hybrid_search.core.preprocess_spec import Pixels, PreprocessSpec
from hybrid_search.images.decode import PreparedPicture, prepare_picture

FEW = 8
"""So many pictures are decoded sooner than a process has started."""
_LENGTH = struct.Struct(">I")
_LONGEST = 1 << 16
"""Bytes of a frame's JSON object."""
_LARGEST = 1 << 30
"""Bytes after it."""


class Decoders:
    """Decodes pictures side by side: many in processes, a few in threads of this one.

    Processes start with the first large batch and stay until ``close``.
    """

    def __init__(self, limits: PictureLimits, workers: int = 2, *, apart: bool = False) -> None:
        """``apart`` is for a service: no picture is decoded in this process, however few."""
        self._limits = limits
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        self._few = 0 if apart else FEW
        self._idle: queue.SimpleQueue[_Process] = queue.SimpleQueue()

    def prepare(self, pictures: list[bytes], spec: PreprocessSpec) -> list[Future[PreparedPicture]]:
        """What becomes of each picture, later, in their order.

        A result raises ``InvalidPicture`` for bytes that are none, for a picture at which
        decoders ended twice, and for one that takes longer than the limit.
        """
        work = self._apart if len(pictures) > self._few else prepare_picture
        return [self._threads.submit(work, data, self._limits, spec) for data in pictures]

    def pixels(self, picture: bytes, spec: PreprocessSpec) -> Pixels:
        """One picture as a model looks at it; raises as the results of ``prepare`` do."""
        return self.prepare([picture], spec)[0].result().pixels

    def close(self) -> None:
        """Drop what has not begun, finish what has, and end the processes."""
        self._threads.shutdown(cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().close()

    def _apart(self, data: bytes, limits: PictureLimits, spec: PreprocessSpec) -> PreparedPicture:
        # A decoder may be killed for memory that something else took: a fresh one tries again.
        for start in (self._waiting, self._fresh):
            process = start()
            try:
                answer = process.ask(data, limits, spec)
            except (OSError, EOFError, ValueError, TypeError, KeyError):
                end = process.close()
                if process.too_slow:
                    raise InvalidPicture(_too_slow(limits)) from None
                continue
            self._idle.put(process)
            if isinstance(answer, PreparedPicture):
                return answer
            raise InvalidPicture(answer)
        raise InvalidPicture(f"image: two decoders ended at it, the last one with {end}")

    def _waiting(self) -> _Process:
        """A process that has nothing to do, or a new one; as many as threads at most."""
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return self._fresh()

    def _fresh(self) -> _Process:
        return _Process(self._limits.decode_mb)


class _Process:
    """One decoding process. Not safe to share between threads."""

    def __init__(self, memory_mb: int) -> None:
        # Decoders warn of what strangers' pictures hold: that is not for the log of a service.
        options = ["-P", "-W", "ignore", "-m", "hybrid_search.images.decoder_pool", str(memory_mb)]
        command = [sys.executable, *options]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self.too_slow = False
        """Whether it was ended for the time that a picture took."""
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

    def ask(
        self, data: bytes, limits: PictureLimits, spec: PreprocessSpec
    ) -> PreparedPicture | str:
        """The answer, or the reason for none.

        Raises ``OSError``, ``EOFError``, or what no answer of ours would, where the process has
        ended.
        """
        requests, answers = self._child.stdin, self._child.stdout
        if requests is None or answers is None:
            raise EOFError
        timer = threading.Timer(limits.decode_seconds, self._end)
        timer.start()
        try:
            told = {"limits": asdict(limits), "spec": asdict(spec)}
            _write(requests, told, data)
            return _answer_of(*_read(answers))
        finally:
            timer.cancel()

    def close(self) -> int:
        """Let the process end; its exit code, or the negative number of the signal."""
        with suppress(OSError):
            self._child.communicate()
        return self._child.returncode

    def _end(self) -> None:
        self.too_slow = True
        self._child.kill()


def answer_all(requests: IO[bytes], answers: IO[bytes]) -> None:
    """A ``PreparedPicture``, or the reason for none, for each request until they end."""
    with suppress(EOFError, BrokenPipeError):
        while True:
            told, data = _read(requests)
            limits = PictureLimits(**told["limits"])
            spec = PreprocessSpec(**told["spec"])
            try:
                prepared = prepare_picture(data, limits, spec)
            except InvalidPicture as failure:
                _write(answers, {"refused": str(failure)}, b"")
            else:
                facts, pixels = asdict(prepared.facts), prepared.pixels
                _write(answers, {"facts": facts, "shape": pixels.shape}, pixels.tobytes())


def _answer_of(told: dict[str, Any], pixels: bytes) -> PreparedPicture | str:
    if "refused" in told:
        return str(told["refused"])
    shaped = np.frombuffer(pixels, np.uint8).reshape(told["shape"])
    return PreparedPicture(PictureFacts(**told["facts"]), shaped)


def _write(pipe: IO[bytes], told: dict[str, Any], data: bytes) -> None:
    header = orjson.dumps({**told, "bytes": len(data)})
    pipe.write(_LENGTH.pack(len(header)))
    pipe.write(header)
    pipe.write(data)
    pipe.flush()


def _read(pipe: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    told = orjson.loads(_exactly(pipe, _LENGTH.unpack(_exactly(pipe, 4, 4))[0], _LONGEST))
    return told, _exactly(pipe, told["bytes"], _LARGEST)


def _exactly(pipe: IO[bytes], count: int, most: int) -> bytes:
    """So many bytes; raises ``EOFError`` where the pipe ends, ``ValueError`` above the most."""
    if not 0 <= count <= most:
        raise ValueError(f"a frame of {count:,} bytes, the limit is {most:,}")
    data = pipe.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _too_slow(limits: PictureLimits) -> str:
    return f"image: takes more than {limits.decode_seconds:g} s to decode, the limit"


def _limit_this_process(memory_mb: int) -> None:
    """No more memory than that, and no file: a decoder that is led astray can do little."""
    # Not on every system; there the other limits hold.
    import resource  # noqa: PLC0415

    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _limit_this_process(int(sys.argv[1]))
    answer_all(sys.stdin.buffer, sys.stdout.buffer)
