"""Candidates of every judged query from every index, and the cost of retrieval."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from hybrid_search.relevance.candidate_cache import Candidates, retrieve
from hybrid_search.relevance.evaluation import TestQuery
from hybrid_search.search.searcher import Searcher

Opening = Callable[[str], AbstractContextManager[Searcher]]
"""Opens the index with that name."""
TIMED = 200
"""Queries whose cost is measured, at most; evenly spaced over all queries."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds to retrieve the candidates of one query whose text and pictures are encoded."""

    wall: float
    """Median."""
    wall_p95: float
    cpu: float
    """Median CPU time of the calling thread."""


@dataclass(frozen=True, slots=True)
class IndexRun:
    """The candidates of one index, by query, and their cost."""

    candidates: Sequence[Candidates]
    cost: Cost


def retrieve_all(
    opening: Opening,
    names: Sequence[str],
    judged: Sequence[tuple[TestQuery, Mapping[str, int]]],
    progress: Callable[[int, int], None],
) -> dict[str, IndexRun]:
    """The candidates of the queries from each index, with their grades.

    One index is open at a time. Costs are measured only when there are several indexes.
    """
    runs: dict[str, IndexRun] = {}
    total = len(names) * len(judged)
    for name in names:
        with opening(name) as searcher:
            found = []
            for test, grades in judged:
                found.append(retrieve(searcher, test, grades))
                progress(len(runs) * len(judged) + len(found), total)
            tests = [test for test, _ in judged] if len(names) > 1 else []
            runs[name] = IndexRun(found, _cost(searcher, tests))
    return runs


def _cost(searcher: Searcher, tests: Sequence[TestQuery]) -> Cost:
    """The cost of retrieving again: texts and pictures are encoded, files are in the page cache."""
    places = np.unique(np.linspace(0, len(tests) - 1, TIMED).astype(int)) if tests else ()
    wall, cpu = [], []
    for place in places:
        started, cpu_started = time.perf_counter(), time.thread_time()
        searcher.retrieve(tests[place].query)
        cpu.append((time.thread_time() - cpu_started) * 1000.0)
        wall.append((time.perf_counter() - started) * 1000.0)
    if not wall:
        return Cost(0.0, 0.0, 0.0)
    return Cost(float(np.median(wall)), float(np.percentile(wall, 95)), float(np.median(cpu)))
