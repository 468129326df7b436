"""Stages of a road that work at the same time, each on a batch of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in order, ``size`` at a time; the last batch may be smaller, none is empty.

    >>> list(batches("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def ahead(items: Iterable[T], count: int) -> Iterator[T]:
    """The items in order, each given out when ``count`` more were made, or there are no more.

    >>> made = []
    >>> [(item, made[-1]) for item in ahead((made.append(n) or n for n in range(3)), 1)]
    [(0, 1), (1, 2), (2, 2)]
    """
    waiting: deque[T] = deque()
    for item in items:
        waiting.append(item)
        if len(waiting) > count:
            yield waiting.popleft()
    yield from waiting


def behind(pool: Executor, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """What ``work`` returns for each item, in order; it runs while the next item is made."""
    running: Future[R] | None = None
    for item in items:
        if running is not None:
            yield running.result()
        running = pool.submit(work, item)
    if running is not None:
        yield running.result()
