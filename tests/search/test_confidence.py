"""Confidence of candidates: hand-computed values and properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_search.analysis.query_parser import parse_query
from hybrid_search.core import LISTS, ListName, ListSettings
from hybrid_search.core.ports.store import IndexStatistics, ListPlan
from hybrid_search.core.query_tree import Term, TermStatistics, WeightedNode, Words, WordsQuery
from hybrid_search.core.similarity_calibration import GENERAL
from hybrid_search.embedding.model_registry import calibrations_of
from hybrid_search.search.confidence import CHANCE, DOUBT, Cuts, confidence_of_words

CALIBRATIONS = (*GENERAL.values(), *calibrations_of("embedded").values())

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


@given(similarities, st.floats(-0.5, 0.5), st.floats(1e-3, 0.5))
def test_properties_of_similarity_confidence(
    found: list[float], mean: float, deviation: float
) -> None:
    for one in CALIBRATIONS:
        values = one.probabilities(found, mean, deviation)
        assert all(0.0 <= value <= 1.0 for value in values)
        assert list(values) == sorted(values, reverse=True)
        # It depends on nothing but the similarity: the rest of the list does not count.
        assert one.probabilities(found[-1:], mean, deviation) == values[-1:]


@given(st.floats(0.01, 0.99), st.floats(-0.5, 0.5), st.floats(1e-3, 0.5))
def test_the_cut_is_the_similarity_that_reaches_the_probability(
    probability: float, mean: float, deviation: float
) -> None:
    for one in CALIBRATIONS:
        cut = one.cut(probability, mean, deviation)
        assert one.probabilities([cut], mean, deviation)[0] == pytest.approx(
            probability, abs=1.5e-4
        )
        assert one.probabilities([cut - 0.01], mean, deviation)[0] <= probability + 5e-5


@pytest.mark.parametrize("name", GENERAL)
def test_noise_does_not_match(name: ListName) -> None:
    """Of five thousand unrelated vectors none matches, in most queries."""
    chance, matched = np.random.default_rng(5), 0
    for _ in range(200):
        noise = chance.normal(0.2, 0.03, 5000)
        values = GENERAL[name].probabilities([noise.max()], 0.2, 0.03)
        matched += values[0] >= LISTS[name].no_match_below
    assert matched <= 40


def test_equal_vectors_have_no_confidence() -> None:
    for one in GENERAL.values():
        assert one.probabilities([0.7 + 1e-8], 0.7, 1e-9)[0] < 0.1


def test_the_embedded_model_has_calibrations_of_its_own() -> None:
    own = calibrations_of("embedded")
    assert set(own) == set(GENERAL)
    assert all(own[name] != GENERAL[name] for name in own)
    assert calibrations_of("ViT-B-32") == GENERAL


def test_the_cut_of_words_is_the_least_share_that_matches() -> None:
    words = [WeightedNode(Term("lemmas", text), 6.0, 10.0) for text in "abc"]
    query = WordsQuery(tuple(words))
    statistics = IndexStatistics(1000, TermStatistics(1000, {}), {})
    lists: dict[ListName, ListSettings] = {"lexical": ListSettings(100, 1.0, 0.4)}
    cuts = Cuts(parse_query("a b c"), statistics, lists, Words(query, lambda: query))
    assert 2 / 3 < (cuts.of(ListPlan("lexical", 100)) or 0.0) <= 1.0
    quoted = Cuts(parse_query('"a b"'), statistics, lists, Words(query, lambda: query))
    assert quoted.of(ListPlan("lexical", 100)) is None
    assert quoted.of(ListPlan("phrase", 200)) == 1.0


def test_an_empty_list_has_no_confidence() -> None:
    assert not len(GENERAL["text_to_image"].probabilities([], 0.1, 0.1))
    assert not len(confidence_of_words([], [], 0.0, 1, 0))
