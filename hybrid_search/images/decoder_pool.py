"""Decoding and preprocessing of pictures in processes of their own.

``python -m hybrid_search.images.decoder_pool`` answers requests from its standard input until that
is closed, so no decoder outlives its parent. It imports Pillow and numpy only: it starts in a fifth
of a second and takes 40 MB, where ``multiprocessing`` would import the main program again. If a
decoder is killed, only the picture that it was decoding is affected.

A message on the pipes is a length, a JSON object of that length, and as many bytes as the object's
``bytes`` says. A compromised decoder can thus return nothing but JSON and bytes.
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
from hybrid_search.core.preprocess_spec import Pixels, PreparedPicture, PreprocessSpec

FEW = 8
"""Up to this many pictures are decoded faster than a process starts."""
_LENGTH = struct.Struct(">I")
_MAX_HEADER = 1 << 16
"""Limit on the bytes of a message's JSON object."""
_MAX_DATA = 1 << 30
"""Limit on the bytes after it."""


class Decoders:
    """A pool of decoders: large batches are decoded in processes, small ones in threads.

    Processes start with the first large batch and stay until ``close``.
    """

    def __init__(self, limits: PictureLimits, workers: int = 2, *, apart: bool = False) -> None:
        """With ``apart``, as in the service, no picture is decoded in this process."""
        self._limits = limits
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        self._few = 0 if apart else FEW
        self._idle: queue.SimpleQueue[_Process] = queue.SimpleQueue()

    def prepare(self, pictures: list[bytes], spec: PreprocessSpec) -> list[Future[PreparedPicture]]:
        """A future for each picture, in their order.

        A future raises ``InvalidPicture`` for bytes that are not an accepted picture, for a picture
        that ended two decoders, and for one that exceeds the time limit.
        """
        from hybrid_search.images.decode import prepare_picture

        work = self._decode_apart if len(pictures) > self._few else prepare_picture
        return [self._threads.submit(work, data, self._limits, spec) for data in pictures]

    def pixels(self, picture: bytes, spec: PreprocessSpec) -> Pixels:
        """The model's input for one picture; raises as the futures of ``prepare`` do."""
        return self.prepare([picture], spec)[0].result().pixels

    def close(self) -> None:
        """Cancel what has not begun, wait for the rest, and end the processes."""
        self._threads.shutdown(cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().close()

    def _decode_apart(
        self, data: bytes, limits: PictureLimits, spec: PreprocessSpec
    ) -> PreparedPicture:
        # Other processes may have used up the memory: a new decoder tries again.
        for take in (self._idle_process, self._new_process):
            process = take()
            try:
                answer = process.ask(data, limits, spec)
            except (OSError, EOFError, ValueError, TypeError, KeyError):
                exit_code = process.close()
                if process.too_slow:
                    raise InvalidPicture(_too_slow(limits)) from None
                continue
            self._idle.put(process)
            if isinstance(answer, PreparedPicture):
                return answer
            raise InvalidPicture(answer)
        raise InvalidPicture(
            f"image: it ended two decoders, the last one with exit code {exit_code}"
        )

    def _idle_process(self) -> _Process:
        """An idle process or a new one; there are at most as many as threads."""
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return self._new_process()

    def _new_process(self) -> _Process:
        return _Process(self._limits.decode_mb)


class _Process:
    """One decoding process. Not safe to share between threads."""

    def __init__(self, memory_mb: int) -> None:
        # Warnings about the content of uploaded pictures do not belong into the service's log.
        options = ["-P", "-W", "ignore", "-m", "hybrid_search.images.decoder_pool", str(memory_mb)]
        command = [sys.executable, *options]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self.too_slow = False
        """Whether it was killed because a picture exceeded the time limit."""
        try:
            # In a process group of its own it does not get Ctrl-C; the parent closes its input.
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
        """The decoded picture, or the reason why it was refused.

        Raises ``OSError``, ``EOFError``, ``ValueError``, ``TypeError`` or ``KeyError`` if the
        process ended or answered with something else.
        """
        requests, answers = self._child.stdin, self._child.stdout
        if requests is None or answers is None:
            raise EOFError
        timer = threading.Timer(limits.decode_seconds, self._kill)
        timer.start()
        try:
            header = {"limits": asdict(limits), "spec": asdict(spec)}
            _write(requests, header, data)
            return _answer_of(*_read(answers))
        finally:
            timer.cancel()

    def close(self) -> int:
        """Wait for the process to end; returns its exit code, or minus the number of the signal."""
        with suppress(OSError):
            self._child.communicate()
        return self._child.returncode

    def _kill(self) -> None:
        self.too_slow = True
        self._child.kill()


def answer_all(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer each request with a decoded picture or a refusal, until the requests end."""
    from hybrid_search.images.decode import prepare_picture

    with suppress(EOFError, BrokenPipeError):
        while True:
            header, data = _read(requests)
            limits = PictureLimits(**header["limits"])
            spec = PreprocessSpec(**header["spec"])
            try:
                prepared = prepare_picture(data, limits, spec)
            except InvalidPicture as failure:
                _write(answers, {"refused": str(failure)}, b"")
            else:
                facts, pixels = asdict(prepared.facts), prepared.pixels
                _write(answers, {"facts": facts, "shape": pixels.shape}, pixels.tobytes())


def _answer_of(header: dict[str, Any], pixels: bytes) -> PreparedPicture | str:
    if "refused" in header:
        return str(header["refused"])
    shaped = np.frombuffer(pixels, np.uint8).reshape(header["shape"])
    return PreparedPicture(PictureFacts(**header["facts"]), shaped)


def _write(pipe: IO[bytes], header: dict[str, Any], data: bytes) -> None:
    encoded = orjson.dumps({**header, "bytes": len(data)})
    pipe.write(_LENGTH.pack(len(encoded)))
    pipe.write(encoded)
    pipe.write(data)
    pipe.flush()


def _read(pipe: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    length = _LENGTH.unpack(_read_exactly(pipe, _LENGTH.size, _LENGTH.size))[0]
    header = orjson.loads(_read_exactly(pipe, length, _MAX_HEADER))
    return header, _read_exactly(pipe, header["bytes"], _MAX_DATA)


def _read_exactly(pipe: IO[bytes], count: int, limit: int) -> bytes:
    """``count`` bytes; raises ``EOFError`` at the end and ``ValueError`` above the limit."""
    if not 0 <= count <= limit:
        raise ValueError(f"a message of {count:,} bytes, the limit is {limit:,}")
    data = pipe.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _too_slow(limits: PictureLimits) -> str:
    return f"image: decoding takes longer than the limit of {limits.decode_seconds:g} s"


def _limit_this_process(memory_mb: int) -> None:
    """Limit memory and forbid writing files, in case a picture exploits the decoder."""
    # Not available on every system; the other limits still apply.
    import resource

    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _limit_this_process(int(sys.argv[1]))
    answer_all(sys.stdin.buffer, sys.stdout.buffer)
