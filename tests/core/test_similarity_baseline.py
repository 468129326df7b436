"""The similarity baseline: against numpy, and for models that cannot read a script."""

import statistics
from pathlib import Path

import numpy as np
import pytest

from hybrid_search.core import Ordinal
from hybrid_search.core.ports import Vectors
from hybrid_search.core.similarity_baseline import (
    SimilarityBaseline,
    expected_best,
    measure,
    script_of,
    unpacked,
)
from hybrid_search.stores.embedded.baseline_file import BaselineFile, Calibrator
from hybrid_search.stores.memory import MemoryVectors

WIDTH = 32


def units(rows: Vectors) -> Vectors:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def cloud(count: int, seed: int = 0, cone: float = 0.5) -> Vectors:
    """Return unit vectors in a cone, like those of models."""
    chance = np.random.default_rng(seed)
    return units(chance.normal(size=(count, WIDTH)).astype(np.float32) / WIDTH**0.5 + cone)


@pytest.mark.parametrize("vectors", [1, 50, 1000, 1_000_000])
def test_expected_maximum_of_normal_values(vectors: int) -> None:
    best = expected_best(vectors)
    assert statistics.NormalDist().cdf(best) ** vectors == pytest.approx(0.5, abs=1e-6)


def test_mean_and_deviation_match_all_similarities() -> None:
    vectors = cloud(500)
    baseline = measure(vectors, {}, 500)
    for query in cloud(20, seed=1):
        similarities = vectors @ query
        mean, deviation = baseline.against(query, "latin")
        assert mean == pytest.approx(float(similarities.mean()), abs=1e-4)
        assert deviation == pytest.approx(float(similarities.std()), rel=1e-2)
    typical = np.mean([(vectors @ query).std() for query in units(np.eye(WIDTH, dtype=np.float32))])
    assert baseline.deviation == pytest.approx(float(typical), rel=0.05)


def test_results_that_stand_out_for_every_query_are_baseline() -> None:
    """A model that cannot read Hangul maps all of it to one place, beside a few pictures."""
    vectors = cloud(1000, cone=0.0)
    unread = units(np.full((1, WIDTH), 1.0, np.float32))[0]
    vectors[:5] = units(vectors[:5] * 0.2 + unread)
    probes = {
        "latin": cloud(40, seed=2, cone=0.0),
        "hangul": units(unread + cloud(40, seed=3, cone=0.0) * 0.05),
    }
    baseline = measure(vectors, probes, 1000)  # type: ignore[arg-type]  # the keys are known
    assert baseline.tails["latin"] < 1.2
    assert baseline.tails["hangul"] > 1.4
    mean, deviation = baseline.against(unread, "hangul")
    best = float((vectors @ unread).max())
    assert (best - mean) / deviation < 3.6


def test_baseline_round_trips_through_a_file() -> None:
    known = measure(cloud(80), {"latin": cloud(40, seed=1)}, 12345)
    again = unpacked(known.packed())
    assert (again.vectors, again.tails) == (known.vectors, known.tails)
    np.testing.assert_array_equal(again.covariance, known.covariance)
    np.testing.assert_array_equal(again.mean, known.mean)


@pytest.mark.parametrize("cut", [0, 10, 400])
def test_damaged_bytes_are_refused(cut: int) -> None:
    with pytest.raises(ValueError, match="no baseline"):
        unpacked(measure(cloud(80), {}, 80).packed()[:cut])


def test_damaged_file_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "baseline.npz").write_bytes(b"PK no archive")
    assert BaselineFile(tmp_path / "baseline.npz").current() is None


def test_another_process_sees_the_new_baseline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hybrid_search.stores.embedded.baseline_file.LOOK_EVERY", 0.0)
    here, there = (BaselineFile(tmp_path / "baseline.npz") for _ in range(2))
    assert (there.current(), there.version) == (None, "")
    here.write(measure(cloud(80), {}, 80))
    first = there.version
    assert there.current() is not None
    here.write(measure(cloud(90), {}, 90))
    known = there.current()
    assert isinstance(known, SimilarityBaseline)
    assert (known.vectors, there.version != first) == (90, True)


def calibrator(vectors: MemoryVectors, path: Path) -> Calibrator:
    def texts(asked: list[str]) -> Vectors:
        return cloud(len(asked), seed=len(asked))

    return Calibrator(vectors, texts, BaselineFile(path))


def test_baseline_is_measured_again_when_the_index_has_grown(tmp_path: Path) -> None:
    vectors = MemoryVectors(WIDTH)
    made = calibrator(vectors, tmp_path / "baseline.npz")
    vectors.add(np.arange(1, 41), cloud(40))
    assert (made.due(2.0), made.calibrate()) == (False, None)
    vectors.add(np.arange(41, 101), cloud(60, seed=1))
    assert made.due(2.0)
    measured = made.calibrate()
    assert measured is not None
    assert (measured.vectors, set(measured.tails)) == (100, {"latin", "hangul"})
    vectors.add(np.arange(101, 121), cloud(20, seed=2))
    assert (made.due(2.0), made.due(1.1)) == (False, True)
    vectors.remove(map(Ordinal, range(1, 70)))
    assert made.due(1.5)


def test_script_of_a_query() -> None:
    assert [script_of(text) for text in ("dog", "강아지", "dog 강아지", "")] == [
        "latin",
        "hangul",
        "hangul",
        "latin",
    ]
