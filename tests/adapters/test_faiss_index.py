"""What is Faiss's own: folding, the choice of kind, the graph, threads."""

import threading
from typing import Literal

import numpy as np
import pytest

from hybrid_search.adapters.faiss_index import FaissIndex, VectorPlan
from tests.contracts.vectors import WIDTH, fill, gathered, span, units

Kind = Literal["flat", "hnsw"]
KINDS: tuple[Kind, ...] = ("flat", "hnsw")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


def test_a_long_tail_is_folded(kind: Kind) -> None:
    index = FaissIndex(WIDTH, VectorPlan(kind=kind, fold_after=10))
    fill(index, units(100))
    status = index.describe()
    assert status.kind == kind
    assert status.sealed > 10
    assert status.sealed + status.tail == 100
    index.remove(gathered(1, 2, 3))
    assert index.describe().tombstones == 3


def test_loading_seals_everything_at_once(kind: Kind) -> None:
    index = FaissIndex(WIDTH, VectorPlan(kind=kind, fold_after=10))
    rows = units(50)
    index.load(span(1, 51), rows)
    status = index.describe()
    assert (status.kind, status.sealed, status.tail) == (kind, 50, 0)
    assert index.search(rows[3], 1).ordinals == (4,)
    assert index.last_ordinal == 50


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
