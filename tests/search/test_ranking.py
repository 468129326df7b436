"""Rankings are kept by the memory that they take, and named by one key."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_search.analysis.query_parser import parse_query
from hybrid_search.core import LIST_NAMES, FusionSettings, ListSettings
from hybrid_search.core.candidates import CandidateList, Retrieved
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.ports import Plan
from hybrid_search.search.cursor import RankingKey, read_cursor, to_cursor
from hybrid_search.search.fusion import fuse
from hybrid_search.search.ranking import Ranking, RankingCache
from hybrid_search.search.retriever import Retrieval

SETTINGS = FusionSettings(30.0, {name: ListSettings(10_000, 1.0) for name in LIST_NAMES})


def ranking(name: str, candidates: int) -> Ranking:
    rows = np.arange(candidates)
    part = CandidateList("lexical", rows, np.zeros(candidates), 10_000)
    found = Retrieved.of([part], rows + 1)
    retrieval = Retrieval(parse_query(name), Plan(), found, 1)
    order = fuse(found, SETTINGS)
    return Ranking(RankingKey(name, "f"), order, retrieval, SETTINGS, len(order), (), False)


def test_the_cache_is_bounded_by_bytes_and_forgets_the_oldest() -> None:
    one = ranking("a", 1000)
    cache = RankingCache(max_bytes=3 * one.nbytes)
    for name in "abcd":
        cache.put(ranking(name, 1000))
    assert cache.nbytes <= 3 * one.nbytes
    assert [cache.get(RankingKey(name, "f")) is not None for name in "abcd"] == [
        False,
        True,
        True,
        True,
    ]


def test_a_large_ranking_takes_the_place_of_many_small_ones() -> None:
    large = ranking("large", 10_000)
    cache = RankingCache(max_bytes=large.nbytes)
    for number in range(20):
        cache.put(ranking(f"small {number}", 10))
    cache.put(large)
    assert cache.get(large.key) is large
    assert cache.nbytes == large.nbytes
    cache.put(ranking("larger", 20_000))
    assert cache.get(large.key) is large


def test_a_ranking_takes_what_its_columns_take() -> None:
    # Rows, arrivals, scores, phrases, lifts, matched; arrivals, phrases, two flags; rows, scores.
    each = (5 * 8 + 1) + (2 * 8 + 2) + 16
    assert ranking("a", 10_000).nbytes - ranking("b", 0).nbytes == 10_000 * each


names = st.text("0123456789abcdef", min_size=1, max_size=32)


@given(
    names,
    names,
    st.just("") | names,
    st.integers(0, 10**9),
    st.text("0123456789abcdef.", max_size=20),
)
def test_a_key_and_a_position_survive_the_way_to_a_client(
    question: str, fusion: str, search_id: str, version: int, calibration: str
) -> None:
    key = RankingKey(question, fusion, search_id, version, calibration)
    assert read_cursor(to_cursor(key, 7)) == (key, 7)
    assert key.same_search(RankingKey(question, fusion, search_id))
    assert not key.same_search(RankingKey(question, f"{fusion}x", search_id))


@pytest.mark.parametrize("cursor", ["", "nonsense", "WyJ4IiwxXQ==", "WyJhLWIuMS5jIiwtMV0=", "MQ=="])
def test_another_text_is_no_cursor(cursor: str) -> None:
    with pytest.raises(InvalidQuery, match="cursor: not one that a search gave"):
        read_cursor(cursor)
