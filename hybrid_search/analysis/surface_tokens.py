"""Surface atoms: the tokens of an exact phrase.

An atom is a Hangul syllable, a kana or Han character, a Latin word, a number, a symbol with a
meaning in ads (50%, 1+1, #신상) or an emoji. It knows whether a word begins or ends at it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

EDGE = "▁"
INNER = "·"
"""Marks on index terms: ``▁`` at a word boundary, ``·`` inside a word."""
_HANGUL = "\uac00-\ud7a3"
_CJK = "\u3040-\u30ff\u3400-\u9fff"
_JAMO = "\u1100-\u11ff\u3130-\u318f"
_ATOM = re.compile(
    rf"""
    (?P<hangul>[{_HANGUL}])
  | (?P<cjk>[{_CJK}])
  | (?P<jamo>[{_JAMO}]+)
  | (?P<number>\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?)
  | (?P<symbol>[%₩$€£¥+&\#@°★♥♡])
  | (?P<word>(?:(?![{_HANGUL}{_CJK}{_JAMO}])[^\W\d_][\u0300-\u036f]*)+)
  | (?P<emoji>(?!{EDGE})[\u2190-\u2bff\U0001f000-\U0001faff])
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Atom:
    """One atom of a normalised text, at characters [start, end)."""

    text: str
    kind: str
    start: int
    end: int
    begins: bool
    """Whether a word begins at it."""
    ends: bool
    """Whether a word ends at it; a word also ends before a particle."""


def atoms(normalised: str, word_ends: frozenset[int] = frozenset()) -> list[Atom]:
    """The atoms in order. ``word_ends`` are the offsets at which particles begin.

    >>> [atom.text for atom in atoms("50% 할인, 9,900원")]
    ['50', '%', '할', '인', '9900', '원']
    """
    found = list(_ATOM.finditer(normalised))
    return [
        Atom(
            text=match.group().replace(",", "") if match.lastgroup == "number" else match.group(),
            kind=match.lastgroup or "",
            start=match.start(),
            end=match.end(),
            begins=not _continues_word(found, place),
            ends=not _continues_word(found, place + 1) or match.end() in word_ends,
        )
        for place, match in enumerate(found)
    ]


def _continues_word(found: list[re.Match[str]], place: int) -> bool:
    """Whether the atom at ``place`` continues the word of the one before it."""
    if not 0 < place < len(found):
        return False
    before, here = found[place - 1], found[place]
    return before.end() == here.start() and before.lastgroup == here.lastgroup == "hangul"


def index_terms(atom: Atom) -> Iterator[str]:
    """The index terms of an atom, from plain to marked at both edges."""
    edge = EDGE if atom.begins else INNER
    yield atom.text
    yield edge + atom.text
    if atom.ends:
        yield atom.text + EDGE
        yield edge + atom.text + EDGE


def phrase_terms(wanted: list[Atom], *, loose: bool = False, open_end: bool = False) -> list[str]:
    """The index terms of a phrase, one per position; empty for no atoms.

    The phrase begins and ends at word boundaries. ``loose`` ignores the spacing inside, with
    ``open_end`` the last word may continue.

    >>> phrase_terms(atoms("여름 신발"))
    ['▁여', '·름', '▁신', '·발▁']
    """
    terms = []
    for place, atom in enumerate(wanted):
        first, last = place == 0, place == len(wanted) - 1
        edge = EDGE if atom.begins else INNER
        start = "" if loose and not first else edge
        terms.append(start + atom.text + (EDGE if last and not open_end else ""))
    return terms
