"""Let every system call of a write fail once and check that no acknowledged asset is lost.

An ingest of a batch, a merge, a rebuild and a snapshot run repeatedly over copies of one small
index. In each run another call fails with EIO: the first, the second, up to the last. Calls from
Python code fail one at a time. With strace the calls of SQLite, Tantivy and Faiss fail too; strace
counts calls by thread, so there the n-th call of each thread fails.

Each time the error must be one of the package with a message, searches must continue, another
batch must be accepted, the next start must find a complete index, and a retry must succeed.

    python bench/failing_calls.py
    python bench/failing_calls.py --phases ingest --calls pwrite64,fsync --every 5
"""

from __future__ import annotations

import argparse
import json
import logging
import mmap
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

# A forked process does not have the threads of OpenMP and would wait for them forever.
os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.reliability.failing_calls import (
    KINDS,
    PHASES,
    Prepared,
    failed_in_python,
    opened,
    prepared,
    told_by,
    wrong_after,
)

NATIVE = ("write", "pwrite64", "fsync", "fdatasync", "rename", "ftruncate", "fallocate")
PATIENCE = 120.0
"""Seconds after which a phase or its checks count as stuck."""


@dataclass
class Tried:
    """Results for one kind of call in one phase."""

    phase: str
    call: str
    failures: int = 0
    wrong: list[str] = field(default_factory=list)


def main() -> None:
    options = arguments()
    logging.disable()  # repairs and failures are expected
    with tempfile.TemporaryDirectory() as scratch:
        base = prepared(Path(scratch) / "base")
        tried = [
            every_one(base, phase, call, options.every)
            for phase in options.phases.split(",")
            for call in options.calls.split(",")
        ]
    print(json.dumps([asdict(part) for part in tried])) if options.json else show(tried)
    sys.exit(any(part.wrong for part in tried) or not any(part.failures for part in tried))


def arguments() -> argparse.Namespace:
    native = NATIVE if shutil.which("strace") else ()
    if not native:
        print("strace is not installed: only calls from Python code fail", file=sys.stderr)
    calls = [*(f"python:{kind}" for kind in KINDS), *native]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--phases", default=",".join(PHASES))
    parser.add_argument("--calls", default=",".join(calls))
    parser.add_argument("--every", type=int, default=1, help="let only every n-th call fail")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def every_one(base: Prepared, phase: str, call: str, every: int) -> Tried:
    """Let the first call fail, then the second, until there are no more."""
    tried, number = Tried(phase, call), 1
    while True:
        with tempfile.TemporaryDirectory() as scratch:
            kind = call.removeprefix("python:")
            one = failed_natively if kind == call else failed_in_python
            wrong = one(base, Path(scratch), phase, kind, number)
        if wrong is None:
            print(f"{phase}, {call}: {tried.failures} failures", file=sys.stderr, flush=True)
            return tried
        tried.failures += 1
        tried.wrong += [f"{call} {number}: {said}" for said in wrong]
        for said in wrong:
            print(f"{phase}, {call} {number}: {said}", file=sys.stderr, flush=True)
        number += every


# ------------------------------------------------------------------------------- by strace


class Board:
    """Synchronise two processes by shared memory, without a system call that could fail."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 1 << 16)

    def reach(self, step: int, said: list[str] | None = None) -> None:
        told = json.dumps(said or []).encode()[: (1 << 16) - 8]
        self._memory[8 : 8 + len(told)] = told
        self._memory[1:5] = len(told).to_bytes(4, "little")
        self._memory[0] = step

    def wait(self, step: int, alive: Callable[[], bool] = lambda: True) -> bool:
        """Return whether the step was reached in time."""
        deadline = time.monotonic() + PATIENCE
        while self._memory[0] < step and time.monotonic() < deadline and alive():
            time.sleep(0.002)
        return self._memory[0] >= step

    @property
    def said(self) -> list[str]:
        size = int.from_bytes(self._memory[1:5], "little")
        said: list[str] = json.loads(self._memory[8 : 8 + size])
        return said


def failed_natively(
    base: Prepared, scratch: Path, phase: str, call: str, number: int
) -> list[str] | None:
    """Return what was wrong after that call failed; ``None`` if there is no such call."""
    board, log = Board(), scratch / "log"
    if not (child := os.fork()):
        act(base, scratch, phase, board)

    def alive() -> bool:
        return os.waitpid(child, os.WNOHANG)[0] == 0

    try:
        if not board.wait(1, alive):
            return ["the process did not start"]
        with injected(child, call, number, log):
            board.reach(2)
            if not board.wait(3, alive):
                return ["the process is stuck or dead"]
        if "(INJECTED)" not in log.read_text("utf-8", "replace"):
            return None
        board.reach(4)
        return board.said if board.wait(5, alive) else ["stuck or dead after the failure"]
    finally:
        end(child)


def act(base: Prepared, scratch: Path, phase: str, board: Board) -> None:
    try:
        with opened(base, scratch) as scene:
            board.reach(1)
            board.wait(2)
            wrong = told_by(PHASES[phase], scene)
            board.reach(3)
            board.wait(4)
            wrong += wrong_after(scene, phase, base.answers)
        board.reach(5, wrong)
    except BaseException as failure:  # noqa: BLE001  the parent is told
        board.reach(5, [f"at the end: {failure!r}"])
    os._exit(0)


class injected:  # noqa: N801  reads as what it does
    """Attach strace to every thread of the process while the context lasts."""

    def __init__(self, process: int, call: str, number: int, log: Path) -> None:
        words = f"strace -f -q -p {process} -o {log} -e trace={call}".split()
        self._command = [*words, "-e", f"inject={call}:error=EIO:when={number}"]
        self._process = process

    def __enter__(self) -> None:
        self._strace = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while not self._attached():
            assert self._strace.poll() is None, "strace cannot attach to a process here"
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def __exit__(self, *_: object) -> None:
        self._strace.send_signal(signal.SIGTERM)
        self._strace.wait(PATIENCE)

    def _attached(self) -> bool:
        statuses = Path(f"/proc/{self._process}/task").glob("*/status")
        return all(f"TracerPid:\t{self._strace.pid}\n" in path.read_text() for path in statuses)


def end(child: int) -> None:
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        return


def show(tried: list[Tried]) -> None:
    table = Table("phase", "call", "failures", "wrong")
    for part in tried:
        table.add_row(part.phase, part.call, str(part.failures), str(len(part.wrong)))
    Console().print(table)


if __name__ == "__main__":
    main()
