"""Reciprocal rank fusion, by published numbers and by its laws."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_search.fusion import contributions, fuse
from hybrid_search.records import (
    LIST_NAMES,
    CandidateList,
    FusionSettings,
    ListName,
    ListSettings,
    Ordinal,
)


def ranked(name: ListName, *ordinals: int, window: int = 100) -> CandidateList:
    scores = tuple(float(-place) for place in range(len(ordinals)))
    return CandidateList(name, tuple(map(Ordinal, ordinals)), scores, window)


def plain(rank_constant: float = 60.0, **weights: float) -> FusionSettings:
    lists = {name: ListSettings(100, weights.get(name, 1.0)) for name in LIST_NAMES}
    return FusionSettings(rank_constant, lists)


def test_the_worked_example_that_elasticsearch_publishes() -> None:
    first = ranked("lexical", 1, 2, 3, 4, window=5)
    second = ranked("text_to_image", 3, 4, 2, 5, 1, window=5)
    scores = [round(hit.score, 3) for hit in fuse([first, second], plain(1.0))]
    expected = {
        1: 1 / 2 + 1 / 6,
        2: 1 / 3 + 1 / 4,
        3: 1 / 4 + 1 / 2,
        4: 1 / 5 + 1 / 3,
        5: 1 / 5,
    }
    assert scores == [round(score, 3) for score in sorted(expected.values(), reverse=True)]


def test_ties_go_to_the_best_rank_then_the_earlier_list_then_the_ordinal() -> None:
    lists = [ranked("text_to_image", 9, 3), ranked("lexical", 7, 2)]
    assert [hit.ordinal for hit in fuse(lists, plain())] == [7, 9, 2, 3]


def test_holders_of_a_phrase_stand_above_every_score() -> None:
    lists = [ranked("lexical", *range(1, 50)), ranked("text_to_image", *range(1, 50))]
    assert fuse(lists, plain(), {Ordinal(49): 1})[0].ordinal == 49


def test_candidates_below_the_window_do_not_count() -> None:
    hits = fuse([ranked("lexical", 1, 2, 3, window=2)], plain())
    assert [hit.ordinal for hit in hits] == [1, 2]


def test_an_absent_hit_says_why() -> None:
    whole = CandidateList("lexical", (Ordinal(1),), (1.0,), 10, total=1)
    cut = CandidateList("text_to_image", (Ordinal(2),), (1.0,), 1)
    first, second = contributions(Ordinal(3), [whole, cut], plain())
    assert (first.absent, second.absent) == ("not_matched", "below_window")


unique = st.lists(st.integers(1, 60), unique=True, max_size=30)


@given(unique, unique, unique, st.floats(0.1, 100.0))
def test_laws(a: list[int], b: list[int], c: list[int], rank_constant: float) -> None:
    lists = [ranked("lexical", *a), ranked("text_to_image", *b), ranked("image_to_image", *c)]
    settings = plain(rank_constant, lexical=1.3)
    hits = fuse(lists, settings)
    assert sorted(hit.ordinal for hit in hits) == sorted({*a, *b, *c})
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert fuse(lists[::-1], settings) == hits
    for hit in hits[:5]:
        parts = contributions(hit.ordinal, lists, settings)
        assert math.fsum(part.contribution for part in parts) == hit.score


@given(unique.filter(lambda ranks: len(ranks) > 1), unique)
def test_a_better_rank_never_lowers_a_hit(a: list[int], b: list[int]) -> None:
    def place(ordinals: list[int]) -> int:
        hits = fuse([ranked("lexical", *ordinals), ranked("text_to_image", *b)], plain())
        return [hit.ordinal for hit in hits].index(Ordinal(a[-1]))

    assert place([a[-1], *a[:-1]]) <= place(a)


def test_weights_multiply() -> None:
    lists = [ranked("lexical", 1), ranked("text_to_image", 2)]
    hits = fuse(lists, plain(60.0, text_to_image=2.0))
    assert hits[0].ordinal == 2
    assert hits[0].score == pytest.approx(2 / 61)
