"""Deadlines: work is split into timed stages, none of which begins after the deadline.

A thread cannot be stopped from outside, so the deadline is checked at the beginning of each stage.
Outside of ``time_limit`` a stage is neither timed nor limited.
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
"""Receives the name of a finished stage and its duration in seconds."""


@dataclass(frozen=True, slots=True)
class _Deadline:
    began: float
    seconds: float
    observe: Observer

    def check(self, what: str) -> float:
        """The current time; raises ``DeadlineExceeded`` after the deadline."""
        now = time.perf_counter()
        if now - self.began > self.seconds:
            raise DeadlineExceeded(
                f"cancelled after {now - self.began:.1f} s, before {what};"
                f" the limit is {self.seconds:g} s (server.deadline_seconds)"
            )
        return now


_deadline: ContextVar[_Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def time_limit(began: float, seconds: float, observe: Observer) -> Iterator[None]:
    """Limit the stages inside to ``seconds`` after ``began`` and report their durations.

    ``began`` is a ``perf_counter`` value. Raises ``DeadlineExceeded`` if the time is already over.
    """
    deadline = _Deadline(began, seconds, observe)
    deadline.check("it began")
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


class stage:  # noqa: N801  reads as a statement
    """A timed part of the work: ``with stage("words"): ...``.

    Raises ``DeadlineExceeded`` on entry if the deadline has passed.
    """

    __slots__ = ("_began", "_deadline", "_name")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._deadline = _deadline.get()
        if self._deadline is not None:
            self._began = self._deadline.check(self._name)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._deadline is not None:
            self._deadline.observe(self._name, time.perf_counter() - self._began)
