"""Unicode normalisation with offsets back into the original text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_DROPPED = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff\U0001f3fb-\U0001f3ff]")  # fmt: skip  # noqa: E501
"""Ignored characters: soft hyphens, joiners, direction marks, variation selectors, skin tones."""


@dataclass(frozen=True, slots=True)
class Normalised:
    """A normalised text whose character ``i`` came from ``source[starts[i]:ends[i]]``."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def source_span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the source that gave the characters [start, end), end > start."""
        return self.starts[start], self.ends[end - 1]


def normalise(source: str) -> Normalised:
    """The text in NFKC, case-folded, with offsets into the source.

    NFC and NFD spellings become equal, full-width letters become ASCII. Compatibility jamo (ㅋㅋ)
    stay as they are, because NFKC would combine them with their neighbours.

    >>> normalise("ＳＡＬＥ ５０％").text
    'sale 50%'
    """
    if source.isascii():
        offsets = range(len(source))
        return Normalised(source.lower(), tuple(offsets), tuple(offset + 1 for offset in offsets))
    text: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    start = 0
    while start < len(source):
        end = start + 1
        while end < len(source) and _joins(source[end]):
            end += 1
        for character in _folded(source[start:end]):
            text.append(character)
            starts.append(start)
            ends.append(end)
        start = end
    return Normalised("".join(text), tuple(starts), tuple(ends))


@lru_cache(maxsize=65_536)
def _joins(character: str) -> bool:
    """Whether the character continues the grapheme cluster before it."""
    return (
        unicodedata.category(character).startswith("M")
        or "\u1160" <= character <= "\u11ff"
        or "\ud7b0" <= character <= "\ud7ff"
        or _DROPPED.match(character) is not None
    )


def _folded(cluster: str) -> str:
    if "\u3130" <= cluster[0] <= "\u318f":
        return cluster[0]
    return _DROPPED.sub("", unicodedata.normalize("NFKC", cluster).casefold())
