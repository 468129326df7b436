"""Score normalization: published and hand-computed examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_search.core import (
    FUSION_METHODS,
    FusionMethod,
    FusionSettings,
    ListName,
    ListSettings,
)
from hybrid_search.search.score_normalization import gains
from tests.search import ranked_lists
from tests.search.ranked_lists import Ranked, parts_of

NAMES: tuple[ListName, ...] = ("lexical", "text_to_image", "copy_semantic")


def listed(name: ListName, *hits: tuple[int, float]) -> Ranked:
    ordinals = tuple(ordinal for ordinal, _ in hits)
    return Ranked(name, ordinals, tuple(score for _, score in hits))


def fused(
    method: FusionMethod, constant: float, *lists: Ranked, weights: tuple[float, ...] = ()
) -> dict[int, float]:
    given_weights = weights or (1.0,) * len(lists)
    settings = FusionSettings(
        constant,
        {c.name: ListSettings(100, w) for c, w in zip(lists, given_weights, strict=True)},
        method,
    )
    return {hit.arrival: hit.score for hit in ranked_lists.fused(lists, settings)}


def test_elasticsearch_worked_example() -> None:
    # Four documents in one list, five in the other, a rank constant of 1.
    first = listed("lexical", (1, 4.0), (2, 3.0), (3, 2.0), (4, 1.0))
    second = listed("text_to_image", (5, 5.0), (4, 4.0), (3, 3.0), (1, 2.0), (2, 1.0))
    found = fused("rrf", 1.0, first, second)
    assert list(found) == [1, 4, 5, 2, 3]
    assert [round(score, 3) for score in found.values()] == [0.7, 0.533, 0.5, 0.5, 0.5]


def test_qdrant_weights_scale_ranks() -> None:
    first = listed("lexical", (1, 9.0), (2, 8.0), (3, 7.0), (4, 6.0))
    second = listed("text_to_image", (5, 0.9), (6, 0.8))
    equal = fused("qdrant_rrf", 2.0, first, second)
    assert equal[1] == equal[5] == 1 / 2
    assert equal[2] == equal[6] == 1 / 3
    # At three to one, two of the first list rank before the first of the other; the third ties.
    spaced = fused("qdrant_rrf", 2.0, first, second, weights=(3.0, 1.0))
    assert list(spaced) == [1, 2, 5, 3, 4, 6]
    assert spaced[3] == pytest.approx(1 / 2)
    assert fused("qdrant_rrf", 2.0, first, second, weights=(0.0, 1.0))[1] == 0.0


def test_weaviate_ranks_start_at_zero() -> None:
    found = fused("weaviate_ranked", 60.0, listed("lexical", (1, 9.0), (2, 8.0)), weights=(0.25,))
    assert list(found.values()) == [0.25 / 60, 0.25 / 61]


def test_weaviate_worked_example() -> None:
    # Keyword scores from its documentation, normalised by min-max.
    scores = np.array([5.0, 2.6, 2.3, 0.2, 0.09])
    shares = gains("min_max", scores, 60.0, 1.0)
    assert shares.round(3).tolist() == [1.0, 0.511, 0.45, 0.022, 0.0]
    assert gains("min_max", np.array([3.0]), 60.0, 0.7).tolist() == [0.7]


def test_opensearch_minimum_is_above_zero() -> None:
    assert gains("opensearch_min_max", np.array([8.0, 5.0, 2.0]), 1.0, 2.0).tolist() == [
        *(2.0, 1.0),
        0.002,
    ]
    assert gains("opensearch_min_max", np.array([8.0, 8.0]), 1.0, 1.0).tolist() == [1.0, 1.0]


def test_distribution_and_deviation() -> None:
    scores = np.array([5.0, 3.0, 1.0])
    # Mean 3, sample deviation 2, population deviation 1.633.
    assert gains("dbsf", scores, 1.0, 1.0) == pytest.approx([8 / 12, 6 / 12, 4 / 12])
    assert gains("z_score", scores, 1.0, 2.0) == pytest.approx([2.4495, 0.0, -2.4495], abs=1e-4)
    assert gains("dbsf", np.array([7.0]), 1.0, 3.0).tolist() == [1.5]
    assert gains("z_score", np.array([7.0, 7.0]), 1.0, 3.0).tolist() == [0.0, 0.0]


def test_combmnz_multiplies_by_the_number_of_lists() -> None:
    first = listed("lexical", (1, 3.0), (2, 2.0), (3, 1.0))
    second = listed("text_to_image", (2, 0.5), (4, 0.25))
    together = fused("combsum", 1.0, first, second, weights=(5.0, 1.0))
    assert together == {2: 1.5, 1: 1.0, 3: 0.0, 4: 0.0}
    assert fused("combmnz", 1.0, first, second) == {2: 3.0, 1: 1.0, 3: 0.0, 4: 0.0}


scores = st.lists(st.floats(-50, 50).map(lambda s: round(s, 2)), min_size=1, max_size=12).map(
    lambda found: sorted(found, reverse=True)
)


@given(
    st.lists(scores, min_size=1, max_size=3),
    st.sampled_from(FUSION_METHODS),
    st.floats(1, 100),
    st.lists(st.floats(0, 5), min_size=3, max_size=3),
)
def test_contributions_add_up_and_sweep_equals_single_settings(
    lists: list[list[float]], method: FusionMethod, constant: float, weights: list[float]
) -> None:
    candidates = [
        listed(name, *((at * (place + 1) + 1, score) for place, score in enumerate(found)))
        for at, (name, found) in enumerate(zip(NAMES, lists, strict=False), start=1)
    ]
    settings = FusionSettings(
        constant,
        {c.name: ListSettings(100, w) for c, w in zip(candidates, weights, strict=False)},
        method,
    )
    for hit in ranked_lists.fused(candidates, settings):
        parts = parts_of(hit, candidates, settings)
        assert sum(part.contribution for part in parts) == pytest.approx(hit.score, abs=1e-9)
    column = np.array(lists[0])
    constants, many = np.array([[constant], [constant + 1]]), np.array([[weights[0]], [weights[1]]])
    at_once = gains(method, column, constants, many)
    assert at_once.shape == (2, len(column))
    for row, k, w in zip(at_once, constants[:, 0], many[:, 0], strict=True):
        assert row == pytest.approx(gains(method, column, float(k), float(w)))
