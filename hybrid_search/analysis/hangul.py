"""Hangul as keystrokes: for unfinished syllables, initial consonants and wrong keyboard layouts."""

from __future__ import annotations

import re

from hybrid_search.analysis.normalize import normalise

_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_MEDIALS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_FINALS: tuple[str, ...] = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
_PAIRS = (
    "ㄳㄱㅅ ㄵㄴㅈ ㄶㄴㅎ ㄺㄹㄱ ㄻㄹㅁ ㄼㄹㅂ ㄽㄹㅅ ㄾㄹㅌ ㄿㄹㅍ ㅀㄹㅎ ㅄㅂㅅ "
    "ㅘㅗㅏ ㅙㅗㅐ ㅚㅗㅣ ㅝㅜㅓ ㅞㅜㅔ ㅟㅜㅣ ㅢㅡㅣ"
)
_TWO_KEYS = str.maketrans({pair[0]: pair[1:] for pair in _PAIRS.split()})
"""Compound jamo and the two jamo with which they are typed."""
_KEYS: dict[str, str] = dict(
    zip(
        "qwertyuiopasdfghjklzxcvbnmQWERTOP",
        "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔㅁㄴㅇㄹㅎㅗㅓㅏㅣㅋㅌㅊㅍㅠㅜㅡㅃㅉㄸㄲㅆㅒㅖ",
        strict=True,
    )
)
"""Jamo of the Korean two-set layout (dubeolsik, KS X 5002) by the Latin letter of the key."""
_LETTERS = {jamo: letter for letter, jamo in _KEYS.items()}
_CONSONANTS = re.compile(f"[{_INITIALS}]+")


def keystrokes(text: str) -> str:
    """The normalised text with every Hangul syllable as the jamo that are typed for it.

    The keystrokes of an unfinished syllable are a prefix of those of the finished one.

    >>> keystrokes("닭갈비"), keystrokes("강ㅇ")
    ('ㄷㅏㄹㄱㄱㅏㄹㅂㅣ', 'ㄱㅏㅇㅇ')
    """
    return "".join(map(_to_jamo, normalise(text).text)).translate(_TWO_KEYS)


def initials(text: str) -> str:
    """The normalised text with every Hangul syllable as its initial consonant (choseong).

    >>> initials("강아지 간식")
    'ㄱㅇㅈ ㄱㅅ'
    """
    return "".join(
        _INITIALS[_index(c) // 588] if _is_syllable(c) else c for c in normalise(text).text
    )


def only_initials(text: str) -> bool:
    """Whether the text consists of consonants only, as in ㄱㅇㅈ."""
    return _CONSONANTS.fullmatch(text) is not None


def other_keyboard(text: str) -> str:
    """The keystrokes in the other keyboard layout: Korean for Latin text, Latin for Korean.

    >>> other_keyboard("rkddkwl") == keystrokes("강아지"), other_keyboard("ㄴㅗㅐㄷㄴ")
    (True, 'shoes')
    """
    if text.isascii():
        return "".join(_KEYS.get(c, _KEYS.get(c.lower(), c)) for c in text).translate(_TWO_KEYS)
    return "".join(_LETTERS.get(c, c) for c in keystrokes(text)).lower()


def _to_jamo(character: str) -> str:
    if not _is_syllable(character):
        return character
    initial, rest = divmod(_index(character), 588)
    medial, final = divmod(rest, 28)
    return _INITIALS[initial] + _MEDIALS[medial] + _FINALS[final]


def _is_syllable(character: str) -> bool:
    return "가" <= character <= "힣"


def _index(syllable: str) -> int:
    """The index of a syllable in Unicode's order: initial * 588 + medial * 28 + final."""
    return ord(syllable) - ord("가")
