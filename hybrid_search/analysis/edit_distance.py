"""Spelling correction: words near in keystrokes, or typed in the other keyboard layout."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from hybrid_search.analysis.hangul import keystrokes, other_keyboard

LONG = 8
"""Keystrokes from which a distance of two is allowed; below it, one."""
SHORT = 3
"""Keystrokes below which nothing is corrected, because too many words are near."""


class Vocabulary:
    """The words of an index with their document frequencies."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        """``counts`` has the number of assets that contain each word."""
        self._counts = dict(counts)
        rising = sorted(self._counts, key=lambda word: (self._counts[word], word))
        # Of words with the same keystrokes the most frequent one stays.
        self._by_keystrokes = {keystrokes(word): word for word in rising}
        self._typed = list(self._by_keystrokes)

    def near(self, word: str, limit: int = 3) -> list[str]:
        """Up to ``limit`` corrections, best first.

        First the word that the same keys type in the other keyboard layout, then words by distance
        in keystrokes (optimal string alignment: insertions, deletions, substitutions and
        transpositions of neighbours), then by falling document frequency, then by alphabet.
        """
        typed = keystrokes(word)
        other = self._by_keystrokes.get(other_keyboard(word))
        found = self._within(typed) if len(typed) >= SHORT else []
        ranked = sorted(found, key=lambda item: (item[1], -self._counts[item[0]], item[0]))
        candidates = chain([] if other is None else [other], (near for near, _ in ranked))
        return [near for near in dict.fromkeys(candidates) if keystrokes(near) != typed][:limit]

    def _within(self, typed: str) -> list[tuple[str, float]]:
        # Imported here because only completions and corrections need it.
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        allowed = 2 if len(typed) >= LONG else 1
        hits = process.extract(
            typed, self._typed, scorer=OSA.distance, score_cutoff=allowed, limit=50
        )
        return [(self._by_keystrokes[key], distance) for key, distance, _ in hits]
