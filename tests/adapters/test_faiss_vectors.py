"""One contract for every kind of vector index, held against brute force."""

import threading
from pathlib import Path

import numpy as np
import pytest

from hybrid_search.adapters.faiss_index import FaissIndex, VectorPlan
from hybrid_search.errors import EngineFailure, IndexCorrupt
from hybrid_search.ports import Ordinals, Vectors
from hybrid_search.records import Ordinal

DIMENSION = 32
PLANS = {
    "flat": VectorPlan(kind="flat"),
    "flat, folding": VectorPlan(kind="flat", fold_after=50),
    "hnsw": VectorPlan(kind="hnsw", fold_after=200, ef_search=128),
    "auto": VectorPlan(flat_limit=300, fold_after=100, ef_search=128),
}


def unit_rows(count: int, seed: int = 0) -> Vectors:
    rows = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def filled(plan: VectorPlan, rows: Vectors, step: int = 100) -> FaissIndex:
    index = FaissIndex(DIMENSION, plan)
    ordinals = np.arange(1, len(rows) + 1, dtype=np.int64)
    for start in range(0, len(rows), step):
        index.add(ordinals[start : start + step], rows[start : start + step])
    return index


def brute_force(rows: Vectors, query: Vectors, limit: int, allowed: Ordinals | None) -> list[int]:
    scores = rows @ query
    among = np.arange(len(rows)) if allowed is None else allowed - 1
    best = among[np.argsort(-scores[among], kind="stable")][:limit]
    return [int(place) + 1 for place in best]


@pytest.fixture(params=PLANS)
def plan(request: pytest.FixtureRequest) -> VectorPlan:
    return PLANS[request.param]


def test_recall_against_brute_force(plan: VectorPlan) -> None:
    rows, queries = unit_rows(3000), unit_rows(50, seed=1)
    index = filled(plan, rows)
    for allowed in (None, np.arange(1, 3001, 7), np.arange(40, 60)):
        found = [
            len(set(index.search(q, 10, allowed).ordinals) & set(brute_force(rows, q, 10, allowed)))
            for q in queries
        ]
        assert sum(found) / 500 >= 0.99


def test_equal_vectors_stand_in_order_of_ordinal(plan: VectorPlan) -> None:
    rows = np.repeat(unit_rows(1), 400, axis=0)
    found = filled(plan, rows).search(rows[0], 5)
    assert len(set(found.scores)) == 1
    assert list(found.ordinals) == sorted(found.ordinals)


def test_an_empty_index_and_too_few_vectors(plan: VectorPlan) -> None:
    index = FaissIndex(DIMENSION, plan)
    query = unit_rows(1)[0]
    assert index.search(query, 5).ordinals == ()
    assert (index.count(), index.last_ordinal) == (0, 0)
    index.add(np.array([7]), unit_rows(1))
    assert index.search(query, 5).ordinals == (7,)
    assert index.search(query, 0).ordinals == ()
    assert index.search(query, 5, np.array([], np.int64)).ordinals == ()
    assert index.last_ordinal == 7


def test_a_removed_vector_is_never_found(plan: VectorPlan) -> None:
    rows = unit_rows(1000)
    index = filled(plan, rows)
    index.remove([Ordinal(5), Ordinal(990), Ordinal(77_777)])
    assert index.count() == 998
    for gone in (5, 990):
        assert gone not in index.search(rows[gone - 1], 20).ordinals
        assert index.vector(Ordinal(gone)) is None
    index.add(np.arange(1001, 1301), unit_rows(300, seed=2))
    assert 5 not in index.search(rows[4], 20).ordinals
    assert index.count() == 1298


def test_exact_similarities_of_named_versions(plan: VectorPlan) -> None:
    rows = unit_rows(300)
    found = filled(plan, rows).similarities(rows[0], [Ordinal(1), Ordinal(2), Ordinal(999)])
    assert found == pytest.approx({1: 1.0, 2: float(rows[0] @ rows[1])}, abs=1e-5)


def test_saved_and_restored_it_answers_alike(plan: VectorPlan, tmp_path: Path) -> None:
    index = FaissIndex(DIMENSION, plan)
    rows = unit_rows(500)
    index.load(np.arange(1, 501), rows)
    index.save(tmp_path)
    again = FaissIndex(DIMENSION, plan)
    again.restore(tmp_path)
    assert again.search(rows[3], 10).ordinals == index.search(rows[3], 10).ordinals
    (tmp_path / "sealed.faiss").write_bytes(b"broken")
    with pytest.raises(IndexCorrupt, match="cannot be read"):
        again.restore(tmp_path)


def test_a_vector_of_another_dimension_is_refused(plan: VectorPlan) -> None:
    with pytest.raises(EngineFailure, match="shape"):
        FaissIndex(DIMENSION, plan).search(np.zeros(3, np.float32), 5)


def test_searches_go_on_while_one_thread_writes(plan: VectorPlan) -> None:
    rows = unit_rows(3000)
    index = filled(plan, rows[:500])
    stop, failures = threading.Event(), []

    def search() -> None:
        while not stop.is_set():
            gone = int(index.count())
            found = index.search(rows[7], 10)
            if not found.ordinals or 8 not in found.ordinals or gone < 1:
                failures.append(found)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for start in range(500, 3000, 25):
        index.add(np.arange(start + 1, start + 26), rows[start : start + 25])
        index.remove([Ordinal(start + 3)])
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert index.count() == 3000 - 100
