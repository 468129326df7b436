"""Building blocks of pipelines whose stages work at the same time on different batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in order, in lists of ``size``; the last may be shorter, none is empty.

    >>> list(batches("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def prefetch(items: Iterable[T], count: int) -> Iterator[T]:
    """The items in order, each yielded after the next ``count`` were taken from ``items``.

    >>> made = []
    >>> [(item, made[-1]) for item in prefetch((made.append(n) or n for n in range(3)), 1)]
    [(0, 1), (1, 2), (2, 2)]
    """
    waiting: deque[T] = deque()
    for item in items:
        waiting.append(item)
        if len(waiting) > count:
            yield waiting.popleft()
    yield from waiting


def map_overlapped(pool: Executor, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """The results of ``work`` in order; it runs in the pool while the next item is produced."""
    running: Future[R] | None = None
    for item in items:
        if running is not None:
            yield running.result()
        running = pool.submit(work, item)
    if running is not None:
        yield running.result()
