"""Each judged query asked once of each index, and what asking costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from hybrid_search.core.ports import Catalog
from hybrid_search.relevance.candidate_cache import Candidates, retrieve
from hybrid_search.relevance.evaluation import TestQuery
from hybrid_search.search.searcher import Searcher

Opening = Callable[[str], AbstractContextManager[Searcher]]
"""Opens the index of that name."""
TIMED = 200
"""Queries whose cost is measured, at most, spread over all."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of looking for one query's candidates, its text and pictures encoded."""

    wall: float
    """The median."""
    wall_p95: float
    cpu: float
    """The median, of the thread that asks."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one index found."""

    candidates: Sequence[Candidates]
    cost: Cost


def ask(
    opening: Opening,
    catalog: Catalog,
    names: Sequence[str],
    judged: Sequence[tuple[TestQuery, Mapping[str, int]]],
    progress: Callable[[int, int], None],
) -> dict[str, Asked]:
    """What each of the indexes finds for the queries, with their grades; one is open at a time.

    What asking costs is measured where there are several.
    """
    asked: dict[str, Asked] = {}
    whole = len(names) * len(judged)
    for name in names:
        with opening(name) as searcher:
            found = []
            for test, grades in judged:
                found.append(retrieve(searcher, catalog, test, grades))
                progress(len(asked) * len(judged) + len(found), whole)
            tests = [test for test, _ in judged] if len(names) > 1 else []
            asked[name] = Asked(found, _cost(searcher, tests))
    return asked


def _cost(searcher: Searcher, tests: Sequence[TestQuery]) -> Cost:
    """Asked a second time, so that nothing is encoded or read from disk any more."""
    places = np.unique(np.linspace(0, len(tests) - 1, TIMED).astype(int)) if tests else ()
    wall, cpu = [0.0], [0.0]
    for place in places:
        started, worked = time.perf_counter(), time.thread_time()
        searcher.retrieve(tests[place].query)
        cpu.append((time.thread_time() - worked) * 1000.0)
        wall.append((time.perf_counter() - started) * 1000.0)
    p95 = float(np.percentile(wall[1:] or wall, 95))
    return Cost(float(np.median(wall[1:] or wall)), p95, float(np.median(cpu[1:] or cpu)))
