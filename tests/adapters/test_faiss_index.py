"""One contract for exact search and for the graph, small tails so that folds happen."""

import threading
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_search.adapters.faiss_index import FaissIndex, VectorPlan
from hybrid_search.errors import EngineFailure, IndexCorrupt
from hybrid_search.ports import Ordinals, Vectors
from hybrid_search.records import Ordinal

Kind = Literal["flat", "hnsw"]
KINDS: tuple[Kind, ...] = ("flat", "hnsw")
WIDTH = 8


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


@pytest.fixture
def index(kind: Kind) -> FaissIndex:
    return FaissIndex(WIDTH, VectorPlan(kind=kind, fold_after=10))


def units(count: int, seed: int = 0, width: int = WIDTH) -> Vectors:
    rows = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def span(first: int, behind: int) -> Ordinals:
    return np.arange(first, behind, dtype=np.int64)


def gathered(*ordinals: int) -> list[Ordinal]:
    return [Ordinal(ordinal) for ordinal in ordinals]


def fill(index: FaissIndex, rows: Vectors, step: int = 7) -> None:
    """Add row n under ordinal n + 1, a few at a time."""
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        index.add(span(start + 1, start + 1 + len(part)), part)


def nearest(rows: Vectors, query: Vectors, limit: int, among: set[int]) -> list[int]:
    order = sorted(among, key=lambda ordinal: (-float(rows[ordinal - 1] @ query), ordinal))
    return order[:limit]


def test_an_empty_index_finds_nothing(index: FaissIndex) -> None:
    found = index.search(units(1)[0], 5)
    assert found.ordinals == found.scores == ()
    assert index.count() == 0
    assert index.last_ordinal == 0
    assert index.vector(Ordinal(1)) is None
    assert index.similarities(units(1)[0], gathered(1)) == {}
    index.remove(gathered(1, 2))
    assert index.count() == 0


def test_what_was_added_is_found_over_folds(index: FaissIndex, kind: Kind) -> None:
    rows = units(100)
    fill(index, rows)
    status = index.describe()
    assert status.kind == kind
    assert status.sealed > 10
    assert status.sealed + status.tail == index.count() == 100
    assert index.last_ordinal == 100
    for place in (0, 50, 99):
        found = index.search(rows[place], 5)
        assert list(found.ordinals) == nearest(rows, rows[place], 5, set(range(1, 101)))
        assert found.ordinals[0] == place + 1
        assert found.scores[0] == pytest.approx(1.0, abs=1e-5)
        assert list(found.scores) == sorted(found.scores, reverse=True)


def test_a_write_is_visible_at_once(index: FaissIndex) -> None:
    rows = units(40)
    for place, row in enumerate(rows):
        index.add(span(place + 1, place + 2), row[None])
        assert index.search(row, 1).ordinals == (place + 1,)
        assert index.last_ordinal == place + 1


def test_the_removed_are_never_found(index: FaissIndex) -> None:
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


def test_everything_can_be_removed_and_more_added(index: FaissIndex) -> None:
    rows = units(30)
    fill(index, rows)
    index.remove(gathered(*range(1, 31)))
    assert index.count() == 0
    assert index.search(rows[0], 5).ordinals == ()
    index.add(span(31, 61), rows)
    assert index.count() == 30
    assert index.search(rows[4], 1).ordinals == (35,)


def test_a_filter_bounds_the_answer(index: FaissIndex) -> None:
    rows = units(80)
    fill(index, rows)
    index.remove(gathered(10))
    allowed = np.array([2, 10, 40, 79, 80, 500], np.int64)
    found = index.search(rows[0], 10, allowed)
    assert list(found.ordinals) == nearest(rows, rows[0], 10, {2, 40, 79, 80})
    assert index.search(rows[0], 2, allowed).ordinals == found.ordinals[:2]
    assert index.search(rows[0], 10, np.empty(0, np.int64)).ordinals == ()


def test_equal_vectors_stand_in_order_of_ordinal(index: FaissIndex) -> None:
    rows = np.repeat(units(1), 30, axis=0)
    fill(index, rows)
    assert index.describe().sealed > 0
    assert index.search(rows[0], 30).ordinals == tuple(range(1, 31))
    assert index.search(rows[0], 4).ordinals == (1, 2, 3, 4)
    index.remove(gathered(2))
    found = index.search(rows[0], 4)
    assert found.ordinals == (1, 3, 4, 5)
    assert len(set(found.scores)) == 1


def test_fewer_than_the_limit_are_all(index: FaissIndex) -> None:
    rows = units(25)
    fill(index, rows)
    assert sorted(index.search(rows[0], 1_000).ordinals) == list(range(1, 26))


def test_vectors_and_similarities_are_exact(index: FaissIndex) -> None:
    rows, query = units(33), units(1, seed=5)[0]
    fill(index, rows)
    for ordinal in gathered(1, 20, 33):
        vector = index.vector(ordinal)
        assert vector is not None
        assert vector.tolist() == rows[ordinal - 1].tolist()
    found = index.similarities(query, gathered(33, 1, 99))
    assert list(found) == [33, 1]
    assert found[Ordinal(33)] == pytest.approx(float(rows[32] @ query), abs=1e-6)


def test_a_vector_given_out_is_a_copy(index: FaissIndex) -> None:
    fill(index, units(3))
    vector = index.vector(Ordinal(1))
    assert vector is not None
    vector[:] = 0
    again = index.vector(Ordinal(1))
    assert again is not None
    assert again.any()


def test_a_query_of_another_width_is_refused(index: FaissIndex) -> None:
    with pytest.raises(EngineFailure, match="8"):
        index.search(np.ones(9, np.float32), 1)


def test_what_was_saved_is_restored(index: FaissIndex, kind: Kind, tmp_path: Path) -> None:
    rows = units(50)
    index.load(span(1, 51), rows)
    index.save(tmp_path)
    again = FaissIndex(WIDTH, VectorPlan(kind=kind, fold_after=10))
    again.restore(tmp_path)
    assert again.describe().kind == kind
    assert again.count() == 50
    assert again.last_ordinal == 50
    assert again.sealed_ordinals().tolist() == list(range(1, 51))
    assert again.search(rows[3], 9) == index.search(rows[3], 9)
    fill_from = span(51, 71)
    again.add(fill_from, units(20, seed=3))
    again.remove(gathered(4))
    assert again.count() == 69
    assert 4 not in again.search(rows[3], 69).ordinals


@pytest.mark.parametrize("name", ["sealed.faiss", "ordinals.npy"])
@pytest.mark.parametrize("damage", ["missing", "cut", "garbage"])
def test_a_damaged_file_is_noticed(
    index: FaissIndex, tmp_path: Path, name: str, damage: str
) -> None:
    rows = units(20)
    fill(index, rows)
    index.save(tmp_path)
    path = tmp_path / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-9] if damage == "cut" else b"garbage" * 30)
    with pytest.raises(IndexCorrupt, match="vectors"):
        index.restore(tmp_path)
    assert index.search(rows[0], 1).ordinals == (1,)


def test_an_index_of_another_width_is_refused(index: FaissIndex, tmp_path: Path) -> None:
    index.load(span(1, 4), units(3))
    index.save(tmp_path)
    with pytest.raises(IndexCorrupt, match="3 x 8"):
        FaissIndex(WIDTH + 1).restore(tmp_path)


def test_auto_turns_to_a_graph_beyond_its_limit() -> None:
    index = FaissIndex(WIDTH, VectorPlan(flat_limit=20, fold_after=5))
    rows = units(60)
    index.add(span(1, 21), rows[:20])
    assert index.describe().kind == "flat"
    index.add(span(21, 61), rows[20:])
    assert index.describe().kind == "hnsw"
    assert index.search(rows[0], 1).ordinals == (1,)


@pytest.mark.parametrize("removed", [0, 300])
def test_the_graph_finds_what_exact_search_finds(removed: int) -> None:
    rows, queries = units(3_000, width=32), units(100, seed=9, width=32)
    index = FaissIndex(32, VectorPlan(kind="hnsw", fold_after=500))
    fill(index, rows, step=600)
    gone = np.random.default_rng(4).choice(3_000, removed, replace=False) + 1
    index.remove(gathered(*gone.tolist()))
    scores = queries @ rows.T
    scores[:, gone - 1] = -2.0
    hits = 0
    for query, row in zip(queries, scores, strict=True):
        found = index.search(query, 10)
        assert found.plan.startswith("hnsw, ef_search")
        hits += len(set(found.ordinals) & set((np.argsort(-row)[:10] + 1).tolist()))
    assert hits / 1_000 >= 0.99


def test_searches_go_on_while_another_thread_writes(kind: Kind) -> None:
    rows = units(4_000, width=16)
    index = FaissIndex(16, VectorPlan(kind=kind, fold_after=100, ef_construction=40, m=8))
    fill(index, rows[:200], step=100)
    done = threading.Event()
    gone: set[int] = set()
    failures: list[str] = []
    searches = [0] * 4

    def search(place: int) -> None:
        generator = np.random.default_rng(place)
        while not done.is_set():
            dead = set(gone)
            try:
                found = index.search(rows[generator.integers(200)], 20)
            except Exception as failure:  # noqa: BLE001  any failure at all is the finding
                failures.append(repr(failure))
                return
            if dead & set(found.ordinals):
                failures.append(f"dead: {dead & set(found.ordinals)}")
            if len(found.ordinals) != 20 or len(set(found.ordinals)) != 20:
                failures.append(f"found {found.ordinals}")
            searches[place] += 1

    threads = [threading.Thread(target=search, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    try:
        for start in range(200, 4_000, 50):
            index.add(span(start + 1, start + 51), rows[start : start + 50])
            drop = range(start - 199, start - 174)
            index.remove(gathered(*drop))
            gone.update(drop)
    finally:
        done.set()
        for thread in threads:
            thread.join(20)
    assert failures == []
    assert min(searches) > 0
    assert index.count() == 4_000 - len(gone)


STEPS = st.lists(
    st.one_of(st.integers(1, 25), st.lists(st.integers(1, 60), max_size=20)), max_size=10
)


@settings(max_examples=40, deadline=None)
@given(STEPS, st.sampled_from(KINDS), st.integers(1, 30))
def test_any_history_gives_what_is_alive(
    steps: list[int | list[int]], kind: Kind, limit: int
) -> None:
    rows, query = units(250), units(1, seed=8)[0]
    index = FaissIndex(WIDTH, VectorPlan(kind=kind, fold_after=6))
    alive: set[int] = set()
    last = 0
    for step in steps:
        if isinstance(step, int):
            index.add(span(last + 1, last + 1 + step), rows[last : last + step])
            alive |= set(range(last + 1, last + 1 + step))
            last += step
        else:
            index.remove(gathered(*step))
            alive -= set(step)
        assert index.count() == len(alive)
        assert index.last_ordinal == last
        found = index.search(query, limit)
        assert list(found.ordinals) == nearest(rows, query, limit, alive)
