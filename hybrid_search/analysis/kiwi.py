"""Korean morphological analysis with Kiwi."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from hybrid_search.analysis.analyzer import Morpheme

if TYPE_CHECKING:
    import kiwipiepy


class KiwiAnalyzer:
    """An ``Analyzer`` that uses Kiwi. Its dictionary is loaded on first use."""

    def __init__(self, user_words: Sequence[str] = ()) -> None:
        """``user_words`` are added to the dictionary as proper nouns, so they are not split."""
        self._user_words = tuple(sorted(set(user_words)))
        self._loading = threading.Lock()
        self._kiwi: kiwipiepy.Kiwi | None = None

    @property
    def fingerprint(self) -> str:
        """A text that changes whenever the analyzer's terms may change."""
        words = hashlib.sha256("\n".join(self._user_words).encode()).hexdigest()[:8]
        return f"kiwi {version('kiwipiepy')} words {words} terms 5"

    def morphemes(self, normalised: str) -> list[Morpheme]:
        """The morphemes of a normalised text in order, without symbols, numbers and Latin words.

        A text without Hangul has none, and does not load the dictionary.
        """
        if not any("\uac00" <= character <= "\ud7a3" for character in normalised):
            return []
        tokens = self._ready().tokenize(normalised)
        return [
            Morpheme(token.form, token.tag, token.start, token.start + token.len)
            for token in tokens
            if token.len and not token.tag.startswith(("S", "W"))
        ]

    def _ready(self) -> kiwipiepy.Kiwi:
        with self._loading:
            if self._kiwi is None:
                import kiwipiepy  # texts without Hangul need none of it

                # Without the dictionary of phrases: half the memory, a third of the time.
                kiwi = kiwipiepy.Kiwi(num_workers=1, load_multi_dict=False)
                for word in self._user_words:
                    kiwi.add_user_word(word, "NNP", 0)
                self._kiwi = kiwi
            return self._kiwi
