"""Words that may have been meant: near in keystrokes, or typed on the other keyboard."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from rapidfuzz import process
from rapidfuzz.distance import OSA

from hybrid_search.analysis.hangul import keystrokes, other_keyboard

LONG = 8
"""Keystrokes from which on two of them may be wrong; below that, one."""
SHORT = 3
"""Keystrokes below which nothing is corrected: everything is near."""


class Vocabulary:
    """The words of an index with how many assets hold each."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = dict(counts)
        self._keys: dict[str, str] = {}
        for word in sorted(self._counts, key=lambda word: (self._counts[word], word)):
            self._keys[keystrokes(word)] = word
        self._typed = list(self._keys)

    def near(self, word: str, limit: int = 3) -> list[str]:
        """The words it may have been meant as, likeliest first.

        First what the same keys give on the other keyboard, then by distance (insertions,
        deletions, replacements and swaps of neighbouring keystrokes; optimal string alignment),
        equal ones by how many assets hold them, then in order of the alphabet.
        """
        typed = keystrokes(word)
        other = self._keys.get(other_keyboard(word))
        found = self._within(typed) if len(typed) >= SHORT else []
        ranked = sorted(found, key=lambda item: (item[1], -self._counts[item[0]], item[0]))
        wanted = chain([] if other is None else [other], (near for near, _ in ranked))
        return [near for near in dict.fromkeys(wanted) if keystrokes(near) != typed][:limit]

    def _within(self, typed: str) -> list[tuple[str, float]]:
        allowed = 2 if len(typed) >= LONG else 1
        hits = process.extract(
            typed, self._typed, scorer=OSA.distance, score_cutoff=allowed, limit=50
        )
        return [(self._keys[key], distance) for key, distance, _ in hits]
