"""Measures and significance tests, against other implementations and known values."""

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import AP, RR, P, Qrel, R, ScoredDoc, Success, nDCG

from hybrid_search.core.errors import InvalidInput
from hybrid_search.relevance.metrics import measured, parse_measure
from hybrid_search.relevance.statistics import compare, holm, interval, randomization
from tests.rounds import rounds

OURS = {
    "nDCG": nDCG,
    "MRR": RR,
    "R": R,
    "P": P,
    "AP": AP,
    "Success": Success,
}


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=30),
    st.lists(st.integers(0, 3), max_size=10),
    st.integers(1, 20),
)
@settings(max_examples=rounds(150, 1_500), deadline=None)
def test_measures_equal_trec_eval(ranked: list[int], missed: list[int], cut: int) -> None:
    judged = [*ranked, *missed]
    qrels = [Qrel("q", f"d{at}", grade) for at, grade in enumerate(judged)]
    run = [ScoredDoc("q", f"d{at}", float(-at)) for at in range(len(ranked))]
    if not any(grade > 0 for grade in judged):
        return
    for kind, theirs in OURS.items():
        (found,) = ir_measures.iter_calc([theirs @ cut], qrels, run)
        ours = measured(f"{kind}@{cut}", np.array([ranked], float), [float(g) for g in judged])
        assert ours[0] == pytest.approx(found.value, abs=1e-9), kind


def test_measures_of_several_rankings_equal_single_ones() -> None:
    chance = np.random.default_rng(3)
    grades = chance.integers(0, 3, (40, 12)).astype(float)
    for name in ("nDCG@10", "MRR@5", "R@3", "P@12", "AP@10", "Success@1"):
        judged = [2.0, 1.0, 1.0]
        alone = [measured(name, row[None], judged)[0] for row in grades]
        # Matrix products sum in another order than vector products.
        assert measured(name, grades, judged) == pytest.approx(alone, abs=1e-12)


def test_query_without_relevant_assets_scores_zero() -> None:
    assert measured("nDCG@10", np.zeros((2, 5)), [0.0]).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("name", ["nDCG", "nDCG@0", "ERR@10", "P@99999", "R@ten", ""])
def test_an_unknown_measure_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="nDCG@K"):
        parse_measure(name)


def test_interval_has_the_stated_coverage() -> None:
    # 200 samples of 50 with a known mean: 95 % intervals miss it in 2 to 9 % of cases.
    chance = np.random.default_rng(11)
    misses = 0
    for _ in range(200):
        low, high = interval(chance.normal(0.3, 1.0, 50), chance)
        misses += not low <= 0.3 <= high
    assert 4 <= misses <= 18


def test_randomization_test_separates_chance_from_difference() -> None:
    chance = np.random.default_rng(5)
    noise = [randomization(chance.normal(0.0, 0.2, 60), chance) for _ in range(100)]
    assert sum(p < 0.05 for p in noise) <= 12
    assert randomization(np.full(60, 0.05), chance) < 0.001
    found = compare(np.array([0.5, 0.7, 0.2]), np.array([0.5, 0.6, 0.4]), seed=1)
    assert (found.wins, found.losses, found.queries) == (1, 1, 3)
    assert found.low < 0.0 < found.high
    assert found == compare(np.array([0.5, 0.7, 0.2]), np.array([0.5, 0.6, 0.4]), seed=1)
    assert compare(np.empty(0), np.empty(0), seed=1).queries == 0


def test_holm_worked_example() -> None:
    # Four hypotheses at .01, .04, .03, .005: two are rejected at .05.
    raised = holm([0.01, 0.04, 0.03, 0.005])
    assert raised == pytest.approx([0.03, 0.06, 0.06, 0.02])
