"""Stages are timed, and none begins after the deadline."""

import time

import pytest

from hybrid_search.core.deadline import stage, time_limit
from hybrid_search.core.errors import DeadlineExceeded


def test_stages_are_told_with_their_time() -> None:
    told: list[tuple[str, float]] = []
    with time_limit(time.perf_counter(), 10, lambda name, seconds: told.append((name, seconds))):
        with stage("one"):
            time.sleep(0.02)
        with stage("two"):
            pass
    assert [name for name, _ in told] == ["one", "two"]
    assert 0.02 <= told[0][1] < 1.0


def test_no_stage_begins_after_the_deadline() -> None:
    began = time.perf_counter() - 5
    told: list[str] = []
    late = pytest.raises(DeadlineExceeded, match=r"after 5.0 s, before it began; the limit is 2 s")
    with late, time_limit(began, 2, lambda name, _: told.append(name)):
        told.append("inside")
    assert told == []


def test_a_stage_that_runs_comes_to_its_end() -> None:
    ended: list[str] = []
    with time_limit(time.perf_counter(), 0.02, lambda name, _: None):
        with stage("slow"):
            time.sleep(0.05)
            ended.append("slow")
        with pytest.raises(DeadlineExceeded, match="before the next"), stage("the next"):
            ended.append("next")
    assert ended == ["slow"]


def test_outside_nothing_is_timed_and_nothing_ends() -> None:
    with time_limit(time.perf_counter(), 0.01, lambda name, _: None):
        pass
    time.sleep(0.02)
    with stage("free"):
        free = True
    assert free
