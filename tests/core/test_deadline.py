"""Stages are timed, and none starts after the deadline."""

import time

import pytest

from hybrid_search.core.deadline import stage, time_limit
from hybrid_search.core.errors import DeadlineExceeded
from tests.clock import MovedClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    clock = MovedClock()
    monkeypatch.setattr("hybrid_search.core.deadline.time", clock)
    return clock


def test_stages_report_their_time(clock: MovedClock) -> None:
    told: list[tuple[str, float]] = []
    with time_limit(time.perf_counter(), 7200, lambda name, seconds: told.append((name, seconds))):
        with stage("one"):
            clock.ahead += 3600
        with stage("two"):
            pass
    assert [name for name, _ in told] == ["one", "two"]
    assert told[0][1] >= 3600 > told[1][1]


def test_no_stage_starts_after_the_deadline() -> None:
    began = time.perf_counter() - 7200
    told: list[str] = []
    late = pytest.raises(DeadlineExceeded, match="before it began; the limit is 2 s")
    with late, time_limit(began, 2, lambda name, _: told.append(name)):
        told.append("inside")
    assert told == []


def test_running_stage_finishes(clock: MovedClock) -> None:
    ended: list[str] = []
    with time_limit(time.perf_counter(), 3600, lambda name, _: None):
        with stage("slow"):
            clock.ahead += 7200
            ended.append("slow")
        with pytest.raises(DeadlineExceeded, match="before the next"), stage("the next"):
            ended.append("next")
    assert ended == ["slow"]


def test_outside_a_deadline_nothing_is_timed_or_stopped(clock: MovedClock) -> None:
    with time_limit(time.perf_counter(), 3600, lambda name, _: None):
        pass
    clock.ahead += 7200
    with stage("free"):
        free = True
    assert free
