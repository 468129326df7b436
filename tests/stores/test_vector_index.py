"""The Faiss index: segments, drift, damage, search plans, threads."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hybrid_search.core.errors import IndexLocked, StorageFull
from hybrid_search.core.ports import Reload, Vectors
from hybrid_search.stores.embedded.vector.index import FaissIndex
from hybrid_search.stores.embedded.vector.index_spec import VectorPlan
from tests.contracts.test_vector_index import PLANS
from tests.contracts.vectors import WIDTH, fill, gathered, nearest, rebuilt_from, span, tend, units
from tests.progress import HANG_SECONDS

SEALED = sorted(PLANS)


def topics(count: int, width: int = 32, seed: int = 0) -> Vectors:
    """Return rows around ten centres, grouped by topic."""
    centres = np.repeat(units(10, seed=99, width=width), count // 10, axis=0)
    rows = centres + 0.4 * units(len(centres), seed=seed, width=width)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@pytest.mark.parametrize("kind", SEALED)
def test_segments_survive_reopening(kind: str, tmp_path: Path) -> None:
    rows, query = units(90), units(1, seed=2)[0]
    index = FaissIndex(WIDTH, tmp_path, PLANS[kind])
    index.add(span(1, 71), rows[:70])
    index.remove(gathered(9))
    index.advance(71)
    index.merge()
    index.add(span(71, 91), rows[70:])
    index.remove(gathered(10, 80))

    again = FaissIndex(WIDTH, tmp_path, PLANS[kind])
    assert (again.watermark, again.last_ordinal, again.count()) == (71, 70, 69)
    again.add(span(71, 91), rows[70:])
    again.remove(gathered(10, 80))
    assert again.search(query, 20) == index.search(query, 20)
    facts = again.describe()
    assert f"{facts.kind} {facts.parameters.get('storage', '')}".startswith(
        kind.split(maxsplit=1)[0]
    )
    assert facts.disk > 0


@pytest.mark.parametrize("kind", SEALED)
def test_large_write_buffer_is_merged(kind: str, tmp_path: Path) -> None:
    index = FaissIndex(WIDTH, tmp_path, replace(PLANS[kind], fold_after=10))
    rows = units(150)
    index.add(span(1, 121), rows[:120])
    tend(index)
    built = index.describe()
    index.add(span(121, 151), rows[120:])
    tend(index)
    grown = index.describe()
    assert (built.segment, built.write_buffer, built.inserted) == (120, 0, 0)
    assert (grown.segment, grown.write_buffer) == (150, 0)
    # A flat index is written again; all others insert the new vectors.
    assert grown.inserted == (0 if kind == "flat" else 30)
    assert index.search(rows[140], 1).ordinals == (141,)


@pytest.mark.parametrize("kind", SEALED)
def test_vectors_deleted_before_a_merge_stay_deleted(kind: str, tmp_path: Path) -> None:
    index, rows = FaissIndex(WIDTH, tmp_path, PLANS[kind]), units(150)
    index.add(span(1, 121), rows[:120])
    index.merge()
    index.add(span(121, 151), rows[120:])
    index.remove(gathered(9, 130))
    index.advance(152)
    index.merge()
    again = FaissIndex(WIDTH, tmp_path, PLANS[kind])
    assert again.watermark == 152
    assert set(again.ordinals()) == set(range(1, 151)) - {9, 130}
    assert again.search(rows[8], 3) == index.search(rows[8], 3)


def test_auto_uses_a_graph_above_its_limit(tmp_path: Path) -> None:
    index = FaissIndex(WIDTH, tmp_path, VectorPlan(flat_limit=20, fold_after=5))
    rows = units(60)
    index.add(span(1, 21), rows[:20])
    tend(index)
    assert index.describe().kind == "flat"
    index.add(span(21, 61), rows[20:])
    tend(index)
    assert index.describe().kind == "hnsw"
    assert index.search(rows[0], 1).ordinals == (1,)


@pytest.mark.parametrize("removed", [0, 300])
def test_graph_finds_the_exact_neighbours(removed: int, tmp_path: Path) -> None:
    rows, queries = units(3_000, width=32), units(100, seed=9, width=32)
    index = FaissIndex(32, tmp_path, VectorPlan(kind="hnsw", fold_after=500))
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


def test_plan_of_a_filtered_search_depends_on_the_filter(tmp_path: Path) -> None:
    rows = topics(4_000)
    index = FaissIndex(32, tmp_path, VectorPlan(kind="hnsw", ef_search=32, exact_below=300))
    index.add(span(1, 4_001), rows)
    index.merge()
    few = np.arange(1, 301, dtype=np.int64)
    own, other = np.arange(1, 801, dtype=np.int64), np.arange(801, 1_601, dtype=np.int64)
    assert index.search(rows[5], 10, few).plan == "hnsw, exact over 300 of 4,000 vectors"
    assert "filter allows 800" in index.search(rows[5], 10, own).plan
    far = index.search(rows[5], 10, other)
    assert far.plan.endswith(
        "exact over 800 of 4,000 vectors, since the filter excludes the neighbors"
    )
    assert list(far.ordinals) == nearest(rows, rows[5], 10, set(other.tolist()))


@pytest.mark.parametrize("share", [0.5, 0.1, 0.05, 0.01, 0.001])
@pytest.mark.parametrize("kind", ["hnsw", "hnsw sq8", "ivf", "ivf_rabitq"])
def test_filtered_recall_at_every_selectivity(kind: str, share: float, tmp_path: Path) -> None:
    rows, queries = topics(6_000), topics(50, seed=3)
    name, _, storage = kind.partition(" ")
    plan = VectorPlan(kind=name, storage=storage or "f32", exact_below=200)  # type: ignore[arg-type]
    index = FaissIndex(32, tmp_path, plan)
    index.add(span(1, 6_001), rows)
    index.merge()
    allowed = np.flatnonzero(np.random.default_rng(8).random(6_000) < share) + 1
    found = wanted = 0
    for query in queries:
        right = nearest(rows, query, 10, set(allowed.tolist()))
        found += len(set(index.search(query, 10, allowed).ordinals) & set(right))
        wanted += len(right)
    assert found / wanted >= 0.99


@pytest.mark.parametrize("kind", ["hnsw", "hnsw bf16", "hnsw sq8", "ivf", "ivf_pq", "ivf_rabitq"])
def test_filter_for_another_topic_uses_exact_search(kind: str, tmp_path: Path) -> None:
    """Topics of 100: asking for more candidates than a topic has must not make it look nearer."""
    centres = np.repeat(units(100, seed=99, width=32), 100, axis=0)
    rows = centres + 0.4 * units(len(centres), width=32)
    rows = np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
    name, _, storage = kind.partition(" ")
    plan = VectorPlan(kind=name, storage=storage or "f32", exact_below=200)  # type: ignore[arg-type]
    index = FaissIndex(32, tmp_path, plan)
    index.add(span(1, 10_001), rows)
    index.merge()
    for place in range(50, 10_000, 500):
        topic = place // 100
        kept = np.flatnonzero(np.arange(10_000) // 100 % 5 != topic % 5) + 1
        found = index.search(rows[place], 10, kept)
        assert list(found.ordinals) == nearest(rows, rows[place], 10, set(kept.tolist()))


def test_segment_of_another_process_is_loaded(tmp_path: Path) -> None:
    rows = units(60)
    reader = FaissIndex(WIDTH, tmp_path, PLANS["hnsw"])
    reader.add(span(1, 51), rows[:50])
    reader.remove(gathered(4))
    reader.advance(51)
    writer = FaissIndex(WIDTH, tmp_path, PLANS["hnsw"])
    writer.add(span(1, 61), rows)
    writer.remove(gathered(4, 5))
    writer.advance(62)
    writer.merge()
    assert reader.reload() is Reload.AHEAD
    assert reader.describe().segment == 0
    reader.add(span(51, 61), rows[50:])
    reader.remove(gathered(5, 6))
    reader.advance(63)
    assert reader.reload() is Reload.OPENED
    assert reader.reload() is Reload.UNCHANGED
    facts = reader.describe()
    assert (facts.kind, facts.segment, facts.write_buffer, facts.tombstones) == ("hnsw", 58, 0, 1)
    assert reader.count() == 57
    assert not set(reader.search(rows[4], 60).ordinals) & {4, 5, 6}


def test_one_process_at_a_time_builds_segments(tmp_path: Path) -> None:
    rows = units(60)
    first, second = (FaissIndex(WIDTH, tmp_path, PLANS["hnsw"]) for _ in range(2))
    second.add(span(1, 61), rows)
    failures: list[BaseException] = []

    def meanwhile() -> None:
        try:
            second.merge()
        except IndexLocked as failure:
            failures.append(failure)

    rebuilt_from(first, rows, set(range(1, 61)), lambda: run_in_thread(meanwhile))
    assert [type(failure) for failure in failures] == [IndexLocked]


def run_in_thread(work: object) -> None:
    thread = threading.Thread(target=work)  # type: ignore[arg-type]
    thread.start()
    thread.join()


def test_damaged_segment_is_skipped_and_rebuilt(tmp_path: Path) -> None:
    rows = units(60)
    index = FaissIndex(WIDTH, tmp_path, PLANS["hnsw"])
    index.add(span(1, 61), rows)
    index.merge()
    sealed = tmp_path / index.describe().segment_folder / "index.faiss"
    sealed.write_bytes(sealed.read_bytes()[:-100])
    again = FaissIndex(WIDTH, tmp_path, PLANS["hnsw"])
    assert again.count() == 0
    assert "index.faiss has" in again.describe().trouble
    again.add(span(1, 61), rows)
    assert again.search(rows[7], 1).ordinals == (8,)
    again.merge()
    assert again.describe().trouble == ""
    assert FaissIndex(WIDTH, tmp_path, PLANS["hnsw"]).count() == 60


def test_rebuild_with_low_recall_is_not_published(tmp_path: Path) -> None:
    rows = units(2_000, width=32)
    good = FaissIndex(32, tmp_path, VectorPlan(kind="hnsw"))
    good.add(span(1, 2_001), rows)
    good.merge()
    poor = FaissIndex(32, tmp_path, VectorPlan(kind="ivf", nlist=40, nprobe=1))
    report = rebuilt_from(poor, rows, set(range(1, 2_001)), probes=[units(40, seed=5, width=32)])
    assert not report.published
    assert report.recall < 0.9 <= report.recall_before
    assert poor.describe().kind == "hnsw"
    assert FaissIndex(32, tmp_path).describe().kind == "hnsw"
    asked = FaissIndex(32, tmp_path, VectorPlan(kind="ivf", nlist=40, nprobe=1, min_recall=0.1))
    assert rebuilt_from(asked, rows, set(range(1, 2_001)), probes=[units(40, width=32)]).published
    assert asked.describe().kind == "ivf"


@pytest.mark.parametrize("kind", ["ivf", "ivf sq8", "ivf_pq", "ivf_rabitq"])
def test_vectors_of_another_distribution_cause_drift_and_a_rebuild(
    kind: str, tmp_path: Path
) -> None:
    name, _, storage = kind.partition(" ")
    plan = VectorPlan(kind=name, storage=storage or "f32", fold_after=100)  # type: ignore[arg-type]
    index = FaissIndex(32, tmp_path, plan)
    rows = topics(3_000)
    index.add(span(1, 3_001), rows)
    index.merge()
    index.add(span(3_001, 3_301), topics(300, seed=1))
    index.merge()
    assert max(index.describe().drift.values()) < 0.3
    assert index.due() is None
    strange = np.repeat(units(1, seed=77, width=32), 1_400, axis=0)
    strange = strange + 0.05 * units(1_400, seed=6, width=32)
    strange = np.asarray(strange / np.linalg.norm(strange, axis=1, keepdims=True), np.float32)
    index.add(span(3_301, 4_701), strange)
    index.merge()
    assert max(index.describe().drift.values()) > 0.3
    assert index.due() == "rebuild"
    everything = np.concatenate([rows, topics(300, seed=1), strange])
    assert rebuilt_from(index, everything, set(range(1, 4_701))).published
    assert index.describe().drift == dict.fromkeys(index.describe().drift, 0.0)
    assert index.due() is None


def test_many_tombstones_cause_a_rebuild(tmp_path: Path) -> None:
    index = FaissIndex(WIDTH, tmp_path, VectorPlan(kind="hnsw", fold_after=120))
    rows = units(100)
    index.add(span(1, 101), rows)
    index.merge()
    index.remove(gathered(*range(1, 31)))
    assert index.due() is None
    index.remove(gathered(31))
    assert index.due() == "rebuild"
    assert rebuilt_from(index, rows, set(range(32, 101))).published
    facts = index.describe()
    assert (facts.segment, facts.tombstones, index.due()) == (69, 0, None)


def test_a_full_disk_is_reported_and_nothing_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = FaissIndex(WIDTH, tmp_path, PLANS["hnsw"])
    index.add(span(1, 51), units(50))
    index.merge()
    index.add(span(51, 61), units(10))

    def full(path: Path, index: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("hybrid_search.stores.embedded.vector.segment._write_index", full)
    with pytest.raises(StorageFull, match="no space left"):
        index.merge()
    assert (index.describe().segment, index.describe().write_buffer, index.count()) == (50, 10, 60)
    assert FaissIndex(WIDTH, tmp_path).count() == 50


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf_pq"])
def test_searches_continue_during_writes_merges_and_rebuilds(kind: str, tmp_path: Path) -> None:
    rows = units(20_200, width=16)
    plan = replace(PLANS[kind], fold_after=1_500, ef_construction=40, m=8, nprobe=0, rerank=4)
    index = FaissIndex(16, tmp_path, plan)
    index.add(span(1, 201), rows[:200])
    # These ordinals are never deleted, so each must always be found.
    kept, gone = set(range(1, 101)), set[int]()
    alive = set(range(1, 201))
    done, failures, searches = threading.Event(), list[str](), [0] * 4

    def search(place: int) -> None:
        chance = np.random.default_rng(place)
        while not done.is_set():
            dead, own = set(gone), int(chance.integers(1, 101))
            try:
                found = index.search(rows[own - 1], 20)
            except Exception as failure:  # noqa: BLE001  any failure at all is the finding
                failures.append(repr(failure))
                return
            if dead & set(found.ordinals):
                failures.append(f"dead: {dead & set(found.ordinals)}")
            if own not in found.ordinals or len(set(found.ordinals)) != 20:
                failures.append(f"{own}: found {found.ordinals} by {found.plan}")
            searches[place] += 1

    threads = [threading.Thread(target=search, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    try:
        for start in range(200, 20_200, 200):
            index.add(span(start + 1, start + 201), rows[start : start + 200])
            alive |= set(range(start + 1, start + 201))
            drop = set(range(start - 99, start - 29)) - kept
            index.remove(gathered(*drop))
            gone |= drop
            alive -= drop
            tend(index)
            if start in {6_000, 14_000}:
                rebuilt_from(index, rows, alive)
    finally:
        done.set()
        for thread in threads:
            thread.join(HANG_SECONDS)
    assert failures == []
    assert min(searches) > 0
    assert index.count() == len(alive)
    assert index.describe().segment > 10_000


def test_write_is_visible_at_once_at_any_index_size(tmp_path: Path) -> None:
    index = FaissIndex(32, tmp_path, VectorPlan(kind="hnsw"))
    rows = units(5_000, width=32)
    index.add(span(1, 4_901), rows[:4_900])
    index.merge()
    for place in range(4_900, 5_000):
        index.add(span(place + 1, place + 2), rows[place][None])
        assert index.search(rows[place], 1).ordinals == (place + 1,)
        # A write leaves the large segment as it is.
        assert index.describe().segment == 4_900


@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_rebuild_chooses_the_search_breadth(kind: str, tmp_path: Path) -> None:
    rows, probes = units(3_000, width=32), units(60, seed=5, width=32)
    breadth = "ef_search" if kind == "hnsw" else "nprobe"

    def chosen(recall: float) -> int:
        plan = VectorPlan(kind=kind, m=4, recall=recall, min_recall=0.1)  # type: ignore[arg-type]
        folder = tmp_path / f"{kind}{recall}"
        index = FaissIndex(32, folder, plan)
        report = rebuilt_from(index, rows, set(range(1, 3_001)), probes=[probes])
        assert report.recall >= recall
        served = FaissIndex(32, folder, plan).describe().parameters
        assert served == report.parameters
        return int(served[breadth])

    assert chosen(0.5) < chosen(0.99)
    plan = VectorPlan(kind=kind, ef_search=77, nprobe=7)  # type: ignore[arg-type]
    asked = FaissIndex(32, tmp_path / f"{kind}0.5", plan).describe().parameters
    assert asked[breadth] == (77 if kind == "hnsw" else 7)


def test_worst_query_kind_determines_the_search_breadth(tmp_path: Path) -> None:
    rows, hard = units(3_000, width=32), units(30, seed=5, width=32)
    plan = VectorPlan(kind="ivf", recall=0.95, min_recall=0.1)

    def chosen(name: str, *probes: Vectors) -> tuple[int, float]:
        index = FaissIndex(32, tmp_path / name, plan)
        report = rebuilt_from(index, rows, set(range(1, 3_001)), probes=probes)
        return int(report.parameters["nprobe"]), report.recall

    easy = np.repeat(rows.mean(axis=0, keepdims=True), 300, axis=0)
    assert chosen("hard", hard) == chosen("both", easy, hard) == chosen("turned", hard, easy)
    together, recall = chosen("together", np.concatenate([easy, hard]))
    assert together < chosen("hard again", hard)[0]
    assert recall >= 0.95
