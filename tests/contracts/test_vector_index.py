"""Contract of every vector index: exactness, immediate visibility, ties by ordinal."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_search.core import Ordinal
from hybrid_search.core.errors import EngineFailure
from hybrid_search.core.ports import Ordinals, Reload, VectorIndex, Vectors
from hybrid_search.stores.embedded.vector.index import FaissIndex
from hybrid_search.stores.embedded.vector.index_spec import VectorPlan
from hybrid_search.stores.memory import MemoryVectors
from tests.contracts.vectors import (
    WIDTH,
    fill,
    gathered,
    nearest,
    rebuilt_from,
    span,
    tend,
    units,
)
from tests.rounds import rounds

# With these breadths and candidates every kind is exact, so results can be compared exactly.
WIDE = VectorPlan(fold_after=6, nprobe=1000, rerank=1000)
PLANS: dict[str, VectorPlan] = {
    "flat": replace(WIDE, kind="flat"),
    "flat bf16": replace(WIDE, kind="flat", storage="bf16"),
    "flat sq8": replace(WIDE, kind="flat", storage="sq8"),
    "hnsw": replace(WIDE, kind="hnsw", rerank=0),
    "hnsw bf16": replace(WIDE, kind="hnsw", storage="bf16", rerank=4),
    "hnsw sq8": replace(WIDE, kind="hnsw", storage="sq8", rerank=4),
    "ivf": replace(WIDE, kind="ivf"),
    "ivf bf16": replace(WIDE, kind="ivf", storage="bf16"),
    "ivf sq8": replace(WIDE, kind="ivf", storage="sq8"),
    "ivf_pq": replace(WIDE, kind="ivf_pq"),
    "ivf_rabitq": replace(WIDE, kind="ivf_rabitq"),
}
KINDS = (*PLANS, "memory")


def made(kind: str, folder: Path) -> VectorIndex:
    return MemoryVectors(WIDTH) if kind == "memory" else FaissIndex(WIDTH, folder, PLANS[kind])


@pytest.fixture(params=KINDS)
def index(request: pytest.FixtureRequest, tmp_path: Path) -> VectorIndex:
    return made(request.param, tmp_path)


def test_an_empty_index_finds_nothing(index: VectorIndex) -> None:
    found = index.search(units(1)[0], 5)
    assert found.ordinals == found.scores == ()
    assert index.count() == 0
    assert index.holds([Ordinal(1)]) == set()
    assert index.sample(3).shape == (0, WIDTH)
    assert index.last_ordinal == 0
    assert index.vector(Ordinal(1)) is None
    assert index.similarities(units(1)[0], gathered(1)) == {}
    index.remove(gathered(1, 2))
    assert index.count() == 0


def test_membership_and_sample_follow_every_write(index: VectorIndex) -> None:
    vectors = units(20)
    index.add(np.arange(1, 13), vectors[:12])
    index.merge()
    index.add(np.arange(13, 21), vectors[12:])
    index.remove([Ordinal(2), Ordinal(14)])
    assert index.holds([Ordinal(o) for o in (30, 14, 20, 2, 1)]) == {1, 20}
    alive = np.delete(vectors, [1, 13], axis=0)
    np.testing.assert_allclose(index.sample(100), alive, atol=1e-6)
    np.testing.assert_allclose(index.sample(2), alive[[0, -1]], atol=1e-6)


def test_added_vectors_are_found(index: VectorIndex) -> None:
    rows = units(100)
    fill(index, rows)
    assert index.count() == 100
    assert index.last_ordinal == 100
    for place in (0, 50, 99):
        found = index.search(rows[place], 5)
        assert list(found.ordinals) == nearest(rows, rows[place], 5, set(range(1, 101)))
        assert found.ordinals[0] == place + 1
        assert found.scores[0] == pytest.approx(1.0, abs=1e-5)
        assert list(found.scores) == sorted(found.scores, reverse=True)


def test_a_write_is_visible_at_once(index: VectorIndex) -> None:
    rows = units(40)
    for place, row in enumerate(rows):
        index.add(span(place + 1, place + 2), row[None])
        assert index.search(row, 1).ordinals == (place + 1,)
        assert index.last_ordinal == place + 1


def test_removed_vectors_are_never_found(index: VectorIndex) -> None:
    rows = units(60)
    fill(index, rows)
    gone = gathered(1, 7, 30, 59, 60)
    index.remove([*gone, Ordinal(1_000)])
    index.remove(gone)
    assert index.count() == 55
    assert not set(index.search(rows[29], 60).ordinals) & set(gone)
    assert len(index.search(rows[29], 60).ordinals) == 55
    assert all(index.vector(ordinal) is None for ordinal in gone)
    assert set(index.similarities(rows[0], gathered(1, 2, 60))) == {2}
    more = units(60, seed=1)
    index.add(span(61, 121), more)
    assert index.count() == 115
    assert not set(index.search(rows[29], 200).ordinals) & set(gone)


def test_everything_can_be_removed_and_more_added(index: VectorIndex) -> None:
    rows = units(30)
    fill(index, rows)
    index.remove(gathered(*range(1, 31)))
    assert index.count() == 0
    assert index.search(rows[0], 5).ordinals == ()
    index.add(span(31, 61), rows)
    assert index.count() == 30
    assert index.search(rows[4], 1).ordinals == (35,)


def test_filter_restricts_the_result(index: VectorIndex) -> None:
    rows = units(80)
    fill(index, rows)
    index.remove(gathered(10))
    allowed = np.array([2, 10, 40, 79, 80, 500], np.int64)
    found = index.search(rows[0], 10, allowed)
    assert list(found.ordinals) == nearest(rows, rows[0], 10, {2, 40, 79, 80})
    assert index.search(rows[0], 2, allowed).ordinals == found.ordinals[:2]
    assert index.search(rows[0], 10, np.empty(0, np.int64)).ordinals == ()


def test_equal_vectors_are_ordered_by_ordinal(index: VectorIndex) -> None:
    rows = np.repeat(units(1), 30, axis=0)
    fill(index, rows)
    assert index.search(rows[0], 30).ordinals == tuple(range(1, 31))
    assert index.search(rows[0], 4).ordinals == (1, 2, 3, 4)
    index.remove(gathered(2))
    found = index.search(rows[0], 4)
    assert found.ordinals == (1, 3, 4, 5)
    assert len(set(found.scores)) == 1


def test_fewer_vectors_than_the_limit_are_all_returned(index: VectorIndex) -> None:
    rows = units(25)
    fill(index, rows)
    assert sorted(index.search(rows[0], 1_000).ordinals) == list(range(1, 26))


def test_vectors_and_similarities_are_exact(index: VectorIndex) -> None:
    rows, query = units(33), units(1, seed=5)[0]
    fill(index, rows)
    for ordinal in gathered(1, 20, 33):
        vector = index.vector(ordinal)
        assert vector is not None
        assert vector.tolist() == rows[ordinal - 1].tolist()
    found = index.similarities(query, gathered(33, 1, 99))
    assert list(found) == [33, 1]
    assert found[Ordinal(33)] == pytest.approx(float(rows[32] @ query), abs=1e-6)


def test_returned_vector_is_a_copy(index: VectorIndex) -> None:
    fill(index, units(3))
    vector = index.vector(Ordinal(1))
    assert vector is not None
    vector[:] = 0
    again = index.vector(Ordinal(1))
    assert again is not None
    assert again.any()


def test_query_of_another_dimension_is_rejected(index: VectorIndex) -> None:
    with pytest.raises(EngineFailure, match="8"):
        index.search(np.ones(9, np.float32), 1)


STEPS = st.lists(
    st.one_of(st.integers(1, 25), st.lists(st.integers(1, 60), max_size=20), st.just("rebuild")),
    max_size=10,
)


@settings(max_examples=rounds(60, 600), deadline=None)
@given(STEPS, st.sampled_from(KINDS), st.integers(1, 30))
def test_any_history_leaves_the_live_vectors(
    steps: list[int | list[int] | Literal["rebuild"]], kind: str, limit: int
) -> None:
    with TemporaryDirectory() as folder:
        check_history(made(kind, Path(folder)), steps, limit)


def check_history(
    index: VectorIndex, steps: list[int | list[int] | Literal["rebuild"]], limit: int
) -> None:
    rows, query = units(250), units(1, seed=8)[0]
    alive: set[int] = set()
    last = 0
    for step in steps:
        if step == "rebuild":
            rebuilt_from(index, rows, alive)
        elif isinstance(step, int):
            index.add(span(last + 1, last + 1 + step), rows[last : last + step])
            tend(index)
            alive |= set(range(last + 1, last + 1 + step))
            last += step
        else:
            index.remove(gathered(*step))
            alive -= set(step)
        assert index.count() == len(alive)
        assert index.last_ordinal == last
        found = index.search(query, limit)
        assert list(found.ordinals) == nearest(rows, query, limit, alive)


@pytest.mark.parametrize(
    ("ordinals", "rows"),
    [
        (span(1, 4), units(2)),
        (span(1, 2), units(1)[0]),
        (span(1, 3), units(2, width=9)),
        (np.array([2, 1], np.int64), units(2)),
        (np.array([1, 1], np.int64), units(2)),
    ],
)
def test_invalid_input_is_rejected_and_changes_nothing(
    index: VectorIndex, ordinals: Ordinals, rows: Vectors
) -> None:
    with pytest.raises(EngineFailure, match=r"vectors of shape|must rise"):
        index.add(ordinals, rows)
    assert (index.count(), index.last_ordinal) == (0, 0)


def test_an_ordinal_is_never_used_again(index: VectorIndex) -> None:
    index.add(span(1, 3), units(2))
    index.remove(gathered(2))
    with pytest.raises(EngineFailure, match="above 2"):
        index.add(span(2, 3), units(1))
    assert index.count() == 1


def test_a_reload_without_a_newer_segment_changes_nothing(index: VectorIndex) -> None:
    fill(index, units(30))
    assert index.reload() is Reload.UNCHANGED
    assert index.count() == 30


def test_watermark_is_stored(index: VectorIndex) -> None:
    assert index.watermark == 0
    index.advance(12)
    assert index.watermark == 12


def test_due_maintenance_is_done(index: VectorIndex) -> None:
    index.add(span(1, 41), units(40))
    tend(index)
    assert index.due() is None
    assert index.count() == 40


def test_a_merge_changes_no_answer(index: VectorIndex) -> None:
    rows, query = units(120), units(1, seed=3)[0]
    fill(index, rows[:60])
    index.remove(gathered(3, 4, 5))
    index.add(span(61, 121), rows[60:])
    index.remove(gathered(61, 100))
    alive = set(range(1, 121)) - {3, 4, 5, 61, 100}
    before = index.search(query, 20).ordinals
    if index.due() == "merge":
        index.merge()
    assert list(index.search(query, 20).ordinals) == list(before)
    assert list(before) == nearest(rows, query, 20, alive)
    assert index.count() == len(alive)
    allowed = np.array([3, 7, 61, 62, 119], np.int64)
    assert set(index.search(query, 9, allowed).ordinals) == {7, 62, 119}


def test_rebuild_keeps_concurrent_writes_and_deletions(index: VectorIndex) -> None:
    rows, query = units(100), units(1, seed=4)[0]
    fill(index, rows[:80])
    index.advance(80)

    def meanwhile() -> None:
        index.remove(gathered(2))
        index.add(span(81, 101), rows[80:])

    report = rebuilt_from(index, rows, set(range(1, 81)), meanwhile)
    assert report.published
    assert (report.vectors, report.recall) == (80, 1.0)
    alive = set(range(1, 101)) - {2}
    assert index.count() == 99
    assert list(index.search(query, 15).ordinals) == nearest(rows, query, 15, alive)


def test_index_description_is_consistent(index: VectorIndex) -> None:
    fill(index, units(50))
    index.remove(gathered(1, 50))
    facts = index.describe()
    assert facts.segment + facts.write_buffer - facts.tombstones == index.count() == 48
    assert facts.bytes > 0
