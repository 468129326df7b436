"""Confidence of candidates: hand-computed values and properties."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_search.core import NO_MATCH
from hybrid_search.search.confidence import (
    CHANCE,
    DOUBT,
    confidence_of_similarities,
    confidence_of_words,
)

shares = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40)
similarities = st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=100).map(
    lambda values: sorted(values, reverse=True)
)


def test_confidence_of_words_by_hand() -> None:
    """Two of three words of eight nats each: one in a million documents by chance."""
    chance = 1_000_000 * math.exp(-2 / 3 * 24.0)
    expected = max((1 - DOUBT**3) * (2 / 3) ** 5, 2 / 3 / (1 + math.sqrt(chance / CHANCE)))
    found = confidence_of_words([2 / 3], [False], information=24.0, words=3, assets=1_000_000)
    assert found == pytest.approx((expected,), abs=1e-4)


def test_long_query_has_confidence_before_full_coverage() -> None:
    (found,) = confidence_of_words([0.6], [False], information=60.0, words=12, assets=10_000)
    (short,) = confidence_of_words([0.6], [False], information=12.0, words=2, assets=10_000)
    assert found > 0.55
    assert short < 0.1


@given(shares, st.floats(0.0, 100.0), st.integers(1, 64), st.integers(1, 10**7))
def test_properties_of_word_confidence(
    held: list[float], information: float, words: int, assets: int
) -> None:
    held.sort(reverse=True)
    mentioned = confidence_of_words(held, [False] * len(held), information, words, assets)
    named = confidence_of_words(held, [True] * len(held), information, words, assets)
    assert all(0.0 <= low <= high <= 1.0 for low, high in zip(mentioned, named, strict=True))
    assert list(mentioned) == sorted(mentioned, reverse=True)
    fewer = confidence_of_words(held, [False] * len(held), information, words, max(1, assets // 10))
    assert all(a >= b for a, b in zip(fewer, mentioned, strict=True))


@given(similarities, st.floats(-0.5, 0.5), st.floats(1e-3, 0.5), st.integers(1, 10**7))
def test_properties_of_similarity_confidence(
    found: list[float], mean: float, deviation: float, vectors: int
) -> None:
    believed = confidence_of_similarities(found, mean, deviation, vectors)
    assert all(0.0 <= value <= 1.0 for value in believed)
    assert list(believed) == sorted(believed, reverse=True)
    among_fewer = confidence_of_similarities(found, mean, deviation, max(1, vectors // 10))
    assert all(a >= b for a, b in zip(among_fewer, believed, strict=True))
    elsewhere = confidence_of_similarities(
        [s + 0.25 for s in found], mean + 0.25, deviation, vectors
    )
    assert elsewhere == pytest.approx(believed, abs=2e-3)


def test_false_discovery_rate_of_one_in_500_gives_half() -> None:
    vectors = 1000
    z = statistics.NormalDist().inv_cdf(1.0 - CHANCE / vectors)
    assert confidence_of_similarities([z], 0.0, 1.0, vectors) == pytest.approx((0.5,), abs=0.005)


def test_noise_reaches_the_limit_at_the_expected_rate() -> None:
    """On noise alone, one list in six has a candidate as rare as the limit (Simes 1986)."""
    rate = CHANCE * (1.0 / NO_MATCH - 1.0) ** 2
    chance, refused = np.random.default_rng(5), 0
    for _ in range(200):
        noise = np.sort(chance.normal(0.2, 0.03, 5000))[::-1]
        believed = confidence_of_similarities(noise[:100].tolist(), 0.2, 0.03, 5000)
        refused += believed[0] < NO_MATCH
    assert refused / 200 == pytest.approx(1.0 - rate, abs=0.08)


def test_many_medium_similarities_equal_one_outstanding() -> None:
    """A class of a hundred pictures among five thousand: each one alone could be chance."""
    alone = confidence_of_similarities([0.355, *[0.2] * 99], 0.2, 0.04, 5000)
    together = confidence_of_similarities([0.355] * 100, 0.2, 0.04, 5000)
    assert alone[0] < NO_MATCH
    assert together[0] > 4 * NO_MATCH


def test_equal_vectors_have_no_confidence() -> None:
    believed = confidence_of_similarities([0.7 + 1e-8] * 50, 0.7, 1e-9, 1000)
    assert believed[0] < NO_MATCH


def test_empty_list_has_no_confidence() -> None:
    assert not len(confidence_of_similarities([], 0.1, 0.1, 100))
    assert not len(confidence_of_words([], [], 0.0, 1, 0))
