"""Hangul as the keys it is typed with: for unfinished syllables, initials, wrong keyboards."""

from __future__ import annotations

import re

from hybrid_search.analysis.normalize import normalise

_LEADS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_TAILS: tuple[str, ...] = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
_PAIRS = (
    "ㄳㄱㅅ ㄵㄴㅈ ㄶㄴㅎ ㄺㄹㄱ ㄻㄹㅁ ㄼㄹㅂ ㄽㄹㅅ ㄾㄹㅌ ㄿㄹㅍ ㅀㄹㅎ ㅄㅂㅅ "
    "ㅘㅗㅏ ㅙㅗㅐ ㅚㅗㅣ ㅝㅜㅓ ㅞㅜㅔ ㅟㅜㅣ ㅢㅡㅣ"
)
_TWO_KEYS = str.maketrans({pair[0]: pair[1:] for pair in _PAIRS.split()})
"""Jamo that are typed with two keys."""
_KEYS: dict[str, str] = dict(
    zip(
        "qwertyuiopasdfghjklzxcvbnmQWERTOP",
        "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔㅁㄴㅇㄹㅎㅗㅓㅏㅣㅋㅌㅊㅍㅠㅜㅡㅃㅉㄸㄲㅆㅒㅖ",
        strict=True,
    )
)
"""The keys of the Korean two-set layout (KS X 5002) by the Latin letters on them."""
_LETTERS = {jamo: letter for letter, jamo in _KEYS.items()}
_CONSONANTS = re.compile(f"[{_LEADS}]+")


def keystrokes(text: str) -> str:
    """The text with every Hangul syllable as the jamo it is typed with, in one spelling.

    An unfinished syllable gives the beginning of a finished one.

    >>> keystrokes("닭갈비"), keystrokes("강ㅇ")
    ('ㄷㅏㄹㄱㄱㅏㄹㅂㅣ', 'ㄱㅏㅇㅇ')
    """
    return "".join(map(_typed, normalise(text).text)).translate(_TWO_KEYS)


def initials(text: str) -> str:
    """The text with every Hangul syllable as its first consonant.

    >>> initials("강아지 간식")
    'ㄱㅇㅈ ㄱㅅ'
    """
    return "".join(_LEADS[_index(c) // 588] if _is_syllable(c) else c for c in normalise(text).text)


def only_initials(text: str) -> bool:
    """Whether the text is nothing but consonants, as in ㄱㅇㅈ."""
    return _CONSONANTS.fullmatch(text) is not None


def other_keyboard(text: str) -> str:
    """The keystrokes, had the other keyboard layout been on: Korean for Latin and back.

    >>> other_keyboard("rkddkwl") == keystrokes("강아지"), other_keyboard("ㄴㅗㅐㄷㄴ")
    (True, 'shoes')
    """
    if text.isascii():
        return "".join(_KEYS.get(c, _KEYS.get(c.lower(), c)) for c in text).translate(_TWO_KEYS)
    return "".join(_LETTERS.get(c, c) for c in keystrokes(text)).lower()


def _typed(character: str) -> str:
    if not _is_syllable(character):
        return character
    lead, rest = divmod(_index(character), 588)
    vowel, tail = divmod(rest, 28)
    return _LEADS[lead] + _VOWELS[vowel] + _TAILS[tail]


def _is_syllable(character: str) -> bool:
    return "가" <= character <= "힣"


def _index(syllable: str) -> int:
    """A syllable's place among all: 588 for each lead, 28 for each vowel, one for each tail."""
    return ord(syllable) - ord("가")
