"""Hangul keystrokes, and edit distance over them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_search.analysis.edit_distance import Vocabulary
from hybrid_search.analysis.hangul import initials, keystrokes, only_initials, other_keyboard

SYLLABLES = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), max_size=8)


@given(SYLLABLES, st.integers(0, 8))
def test_keystrokes_of_a_prefix_are_a_prefix_of_the_keystrokes(word: str, cut: int) -> None:
    assert keystrokes(word).startswith(keystrokes(word[:cut]))
    assert len(initials(word)) == len(word)


@given(SYLLABLES)
def test_wrong_keyboard_layout_round_trip(word: str) -> None:
    latin = other_keyboard(word)
    assert latin.isascii()
    # Shifted consonants are capital letters, which lower-case typing loses.
    if not set(keystrokes(word)) & set("ㅃㅉㄸㄲㅆㅒㅖ"):
        assert other_keyboard(latin) == keystrokes(word)


@pytest.mark.parametrize(
    ("typed", "finished"),
    [
        ("가", "강"),
        ("갈", "가락"),
        ("없", "업소"),
        ("고", "과"),
        ("달ㄱ", "닭"),
        ("강ㅇ", "강아지"),
    ],
)
def test_unfinished_syllables_complete_to_the_word(typed: str, finished: str) -> None:
    assert keystrokes(finished).startswith(keystrokes(typed))


def test_initials_are_recognised() -> None:
    assert only_initials("ㄱㅇㅈ")
    assert not any(only_initials(text) for text in ("강", "ㅏ", "ㄱ 1", "abc", ""))


VOCABULARY = Vocabulary({"강아지": 5, "가방": 9, "가발": 2, "summer": 4, "shoes": 3, "shoe": 7})


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("강아쥐", ["강아지"]),
        ("갱아지", ["강아지"]),
        ("rkddkwl", ["강아지"]),
        ("가밯", ["가방", "가발"]),
        ("sumemr", ["summer"]),
        ("shose", ["shoe", "shoes"]),
        ("summer", []),
        ("zzzzzz", []),
        ("가", []),
        ("", []),
    ],
)
def test_near_words(word: str, near: list[str]) -> None:
    assert VOCABULARY.near(word) == near


def test_ties_in_edit_distance_prefer_the_more_frequent_word() -> None:
    assert VOCABULARY.near("가밥") == ["가방", "가발"]
    assert VOCABULARY.near("가밥", limit=1) == ["가방"]
