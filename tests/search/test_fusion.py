"""Reciprocal rank fusion: published examples and properties."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_search.core import (
    LIST_NAMES,
    FusedHit,
    FusionMethod,
    FusionSettings,
    ListName,
    ListSettings,
    Ordinal,
)
from tests.search.ranked_lists import Ranked, fused, parts_of


def ranked(
    name: ListName, *ordinals: int, window: int = 100, confidences: Sequence[float] = ()
) -> Ranked:
    scores = tuple(float(-place) for place in range(len(ordinals)))
    return Ranked(name, ordinals, scores, tuple(confidences), window)


def fusing(method: FusionMethod, rank_constant: float = 60.0, **weights: float) -> FusionSettings:
    lists = {name: ListSettings(100, weights.get(name, 1.0)) for name in LIST_NAMES}
    return FusionSettings(rank_constant, lists, method)


def plain(rank_constant: float = 60.0, **weights: float) -> FusionSettings:
    return fusing("rrf", rank_constant, **weights)


def test_elasticsearch_worked_example() -> None:
    first = ranked("lexical", 1, 2, 3, 4, window=5)
    second = ranked("text_to_image", 3, 4, 2, 5, 1, window=5)
    scores = [round(hit.score, 3) for hit in fused([first, second], plain(1.0))]
    expected = {
        1: 1 / 2 + 1 / 6,
        2: 1 / 3 + 1 / 4,
        3: 1 / 4 + 1 / 2,
        4: 1 / 5 + 1 / 3,
        5: 1 / 5,
    }
    assert scores == [round(score, 3) for score in sorted(expected.values(), reverse=True)]


def test_ties_break_by_best_rank_list_and_ordinal() -> None:
    lists = [ranked("text_to_image", 9, 3), ranked("lexical", 7, 2)]
    assert [hit.arrival for hit in fused(lists, plain())] == [7, 9, 2, 3]


def test_phrase_matches_rank_above_every_score() -> None:
    lists = [ranked("lexical", *range(1, 50)), ranked("text_to_image", *range(1, 50))]
    assert fused(lists, plain(), {49: 1})[0].arrival == 49


def test_candidates_below_the_window_do_not_count() -> None:
    hits = fused([ranked("lexical", 1, 2, 3, window=2)], plain())
    assert [hit.arrival for hit in hits] == [1, 2]


def test_absent_hit_has_a_reason() -> None:
    whole = Ranked("lexical", (1,), (1.0,), window=10, total=1)
    cut = Ranked("text_to_image", (2,), (1.0,), window=1)
    first, second = parts_of(FusedHit(Ordinal(3), 0.0, 0), [whole, cut], plain())
    assert (first.absent, second.absent) == ("not_matched", "below_window")


unique = st.lists(st.integers(1, 60), unique=True, max_size=30)


@given(unique, unique, unique, st.floats(0.1, 100.0))
def test_laws(a: list[int], b: list[int], c: list[int], rank_constant: float) -> None:
    lists = [ranked("lexical", *a), ranked("text_to_image", *b), ranked("image_to_image", *c)]
    settings = plain(rank_constant, lexical=1.3)
    hits = fused(lists, settings)
    assert sorted(hit.arrival for hit in hits) == sorted({*a, *b, *c})
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert fused(lists[::-1], settings) == hits
    for hit in hits[:5]:
        parts = parts_of(hit, lists, settings)
        assert math.fsum(part.contribution for part in parts) == pytest.approx(hit.score, rel=1e-12)


@given(unique.filter(lambda ranks: len(ranks) > 1), unique)
def test_better_rank_never_lowers_a_hit(a: list[int], b: list[int]) -> None:
    def place(ordinals: list[int]) -> int:
        hits = fused([ranked("lexical", *ordinals), ranked("text_to_image", *b)], plain())
        return [hit.arrival for hit in hits].index(Ordinal(a[-1]))

    assert place([a[-1], *a[:-1]]) <= place(a)


def test_weights_multiply() -> None:
    lists = [ranked("lexical", 1), ranked("text_to_image", 2)]
    hits = fused(lists, plain(60.0, text_to_image=2.0))
    assert hits[0].arrival == 2
    assert hits[0].score == pytest.approx(2 / 61)


# -------------------------------------------------------------------------- by the evidence

CONFIDENT = fusing("confident_rrf", lexical=2.0)


def test_contribution_is_scaled_by_confidence() -> None:
    lists = [
        ranked("lexical", 1, 2, confidences=(0.5, 0.1)),
        ranked("text_to_image", 3, 1, confidences=(0.9, 0.2)),
    ]
    scores = {hit.arrival: hit.score for hit in fused(lists, CONFIDENT)}
    assert scores == {
        1: pytest.approx(2 * 0.5 / 61 + 0.2 / 62),
        2: pytest.approx(2 * 0.1 / 62),
        3: pytest.approx(0.9 / 61),
    }


def test_plain_rrf_ignores_confidence() -> None:
    lists = [ranked("lexical", 1, 2, confidences=(0.5, 0.1)), ranked("text_to_image", 3, 1)]
    bare = [ranked("lexical", 1, 2), ranked("text_to_image", 3, 1)]
    scores, bare_scores = (
        {hit.arrival: hit.score for hit in fused(one, plain(), without_text=missing)}
        for one, missing in ((lists, {3}), (bare, set[int]()))
    )
    assert scores == bare_scores


def test_list_without_confidence_changes_nothing() -> None:
    words = ranked("lexical", 5, 3, 1, confidences=(1.0, 0.7, 0.7))
    noise = ranked("text_to_image", 9, 1, 8, confidences=(0.0, 0.0, 0.0))
    hits = [hit.arrival for hit in fused([words, noise], CONFIDENT)]
    assert hits[:3] == [5, 3, 1]


def test_lift_compensates_for_impossible_lists() -> None:
    """Of two pictures, the one without text ranks as high as the one with unrelated text."""
    words = ranked("lexical", 7, confidences=(1.0,))
    pictures = ranked("text_to_image", 1, 2, confidences=(0.8, 0.8))
    found = fused([words, pictures], CONFIDENT, without_text={2})
    hits = {hit.arrival: hit for hit in found}
    lift = 2.8 / (2.8 - 2 / 3 * 2.0)
    assert hits[Ordinal(2)].lift == pytest.approx(lift)
    assert hits[Ordinal(2)].score == pytest.approx(0.8 / 62 * lift)
    assert (hits[Ordinal(1)].lift, hits[Ordinal(7)].lift) == (1.0, 1.0)


confidence = st.floats(0.0, 1.0)
believed = st.lists(
    st.tuples(st.integers(1, 60), confidence), unique_by=lambda p: p[0], max_size=30
)
apart = st.frozensets(st.integers(1, 60))


def lists_of(*found: list[tuple[int, float]]) -> list[Ranked]:
    names: tuple[ListName, ...] = ("lexical", "text_to_image", "copy_semantic")
    return [
        ranked(name, *(o for o, _ in pairs), confidences=[c for _, c in pairs])
        for name, pairs in zip(names, found, strict=True)
    ]


@given(believed, believed, believed, apart, apart)
def test_properties_of_confident_fusion(
    a: list[tuple[int, float]],
    b: list[tuple[int, float]],
    c: list[tuple[int, float]],
    without_text: frozenset[int],
    without_picture: frozenset[int],
) -> None:
    lists = lists_of(a, b, c)
    no_text = without_text - {*lists[0].ordinals, *lists[2].ordinals}
    no_picture = without_picture - no_text - set(lists[1].ordinals)
    hits = fused(lists, CONFIDENT, None, no_text, no_picture)
    assert sorted(hit.arrival for hit in hits) == sorted({o for x in lists for o in x.ordinals})
    assert fused(lists[::-1], CONFIDENT, None, no_text, no_picture) == hits
    assert all(1.0 <= hit.lift <= 3.0 + 1e-9 for hit in hits)
    for hit in hits[:5]:
        parts = parts_of(hit, lists, CONFIDENT)
        assert math.fsum(part.contribution for part in parts) == pytest.approx(hit.score)


@given(believed.filter(lambda pairs: len(pairs) > 1), believed, believed, apart)
def test_better_rank_with_equal_confidence_never_lowers_a_hit(
    a: list[tuple[int, float]],
    b: list[tuple[int, float]],
    c: list[tuple[int, float]],
    without: frozenset[int],
) -> None:
    def place(pairs: list[tuple[int, float]]) -> int:
        lists = lists_of(pairs, b, c)
        hits = fused(lists, CONFIDENT, None, (), without - set(lists[1].ordinals))
        return [hit.arrival for hit in hits].index(Ordinal(a[-1][0]))

    assert place([a[-1], *a[:-1]]) <= place(a)


@given(believed, believed, believed, st.integers(0, 29), confidence)
def test_more_confidence_never_lowers_a_hit(
    a: list[tuple[int, float]],
    b: list[tuple[int, float]],
    c: list[tuple[int, float]],
    at: int,
    more: float,
) -> None:
    if not a:
        return
    ordinal, before = a[at % len(a)]
    raised = [(o, max(before, more)) if o == ordinal else (o, x) for o, x in a]

    def place(pairs: list[tuple[int, float]]) -> int:
        return [hit.arrival for hit in fused(lists_of(pairs, b, c), CONFIDENT)].index(
            Ordinal(ordinal)
        )

    assert place(raised) <= place(a)


@given(believed, believed, st.dictionaries(st.integers(1, 60), st.integers(1, 2), max_size=5))
def test_phrase_matches_rank_above_all_confidence(
    a: list[tuple[int, float]], b: list[tuple[int, float]], held: dict[int, int]
) -> None:
    hits = fused(lists_of(a, b, []), CONFIDENT, held)
    assert [hit.phrases for hit in hits] == sorted((hit.phrases for hit in hits), reverse=True)
