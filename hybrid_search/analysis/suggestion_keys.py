"""Index terms for completion, by keystrokes and by initial consonants.

Brands, campaigns and tags are suggested whole, and words of the texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from hybrid_search.analysis.hangul import initials, keystrokes, only_initials, other_keyboard
from hybrid_search.core import TextField

LONGEST = 60
"""Characters of the longest name that is suggested."""
_NAMES = ("brand", "campaign", "tags")
_BY_KEYSTROKES, _BY_INITIALS, _END = "k", "i", "\x1f"


def names(texts: Iterable[TextField]) -> Iterator[str]:
    """The brands, campaigns and tags among an asset's texts, with single spaces."""
    for one in texts:
        if one.field in _NAMES and 2 <= len(one.text.strip()) <= LONGEST:
            yield " ".join(one.text.split())


def suggestion_terms(suggested: Sequence[str]) -> Iterator[str]:
    """The terms whose prefixes find each suggestion; each term ends in its suggestion."""
    for name in dict.fromkeys(suggested):
        yield f"{_BY_KEYSTROKES}{keystrokes(name)}{_END}{name}"
        if (consonants := initials(name)) != name:
            yield f"{_BY_INITIALS}{consonants}{_END}{name}"


def beginnings(typed: str) -> list[str]:
    """The term prefixes to look up for a typed text, in order of preference.

    Two or more consonants (ㄱㅇㅈ) are initials first. Other texts are keystrokes, then keystrokes
    in the other keyboard layout.
    """
    # Tantivy does not accept unpaired surrogates.
    text = " ".join(typed.encode("utf-8", "replace").decode().split())
    if not text:
        return []
    if only_initials(text) and len(text) > 1:
        return [_BY_INITIALS + text, _BY_KEYSTROKES + keystrokes(text)]
    return [_BY_KEYSTROKES + keystrokes(text), _BY_KEYSTROKES + other_keyboard(text)]


def suggested_by(term: str) -> str:
    """The suggestion in a term."""
    return term.partition(_END)[2]


def every_word() -> str:
    """The prefix that finds exactly one term of every suggestion."""
    return _BY_KEYSTROKES
