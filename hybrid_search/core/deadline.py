"""The stages of a piece of work: each is timed, and none begins after the deadline.

A thread cannot be stopped from outside; so work asks, between its stages, whether it is still
wanted. Outside of ``paced`` stages are free and nothing ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType

from hybrid_search.core.errors import DeadlineExceeded

Observer = Callable[[str, float], None]
"""Told the name of a stage and the seconds it took."""


@dataclass(frozen=True, slots=True)
class _Pace:
    began: float
    seconds: float
    observe: Observer

    def check(self, what: str) -> float:
        """The time; raises ``DeadlineExceeded`` once it is over."""
        now = time.perf_counter()
        if now - self.began > self.seconds:
            raise DeadlineExceeded(
                f"given up after {now - self.began:.1f} s, before {what};"
                f" the limit is {self.seconds:g} s (server.deadline_seconds)"
            )
        return now


_pace: ContextVar[_Pace | None] = ContextVar("pace", default=None)


@contextmanager
def paced(began: float, seconds: float, observe: Observer) -> Iterator[None]:
    """Let stages end after so many seconds since ``began`` (by ``perf_counter``), and be timed.

    Raises ``DeadlineExceeded`` when the time is over already.
    """
    pace = _Pace(began, seconds, observe)
    pace.check("it began")
    token = _pace.set(pace)
    try:
        yield
    finally:
        _pace.reset(token)


class stage:  # noqa: N801  reads as a statement
    """A part of the work: ``with stage("words"): ...``.

    Raises ``DeadlineExceeded`` at its beginning when the time is over.
    """

    __slots__ = ("_began", "_name", "_pace")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._pace = _pace.get()
        if self._pace is not None:
            self._began = self._pace.check(self._name)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pace is not None:
            self._pace.observe(self._name, time.perf_counter() - self._began)
