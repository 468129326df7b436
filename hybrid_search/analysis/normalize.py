"""One spelling for what people write in many, with a way back into the original."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_DROPPED = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff\U0001f3fb-\U0001f3ff]")  # fmt: skip  # noqa: E501
"""Joiners, direction marks, variation selectors and skin tones: they change no word."""


@dataclass(frozen=True, slots=True)
class Normalised:
    """A normalised text; its character ``i`` came from ``source[starts[i]:ends[i]]``."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def source_span(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of the source that gave the characters [start, end), end > start."""
        return self.starts[start], self.ends[end - 1]


def normalise(source: str) -> Normalised:
    """The text in compatibility form, case folded, with offsets into the source.

    NFC and NFD spellings meet, full-width letters become plain; lone Korean jamo (ㅋㅋ) stay as
    they are, for compatibility form would glue them to their neighbours.

    >>> normalise("ＳＡＬＥ ５０％").text
    'sale 50%'
    """
    if source.isascii():
        places = range(len(source))
        return Normalised(source.lower(), tuple(places), tuple(place + 1 for place in places))
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
    """Whether the character belongs to the cluster before it."""
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
