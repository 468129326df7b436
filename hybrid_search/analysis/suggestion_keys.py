"""What is suggested while somebody types: names of brands and campaigns, tags, words of copy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from hybrid_search.analysis.hangul import initials, keystrokes, only_initials, other_keyboard
from hybrid_search.core import TextField

LONGEST = 60
"""Characters of a name; longer ones are no suggestion."""
_NAMES = ("brand", "campaign", "tags")
_BY_KEYS, _BY_INITIALS, _END = "k", "i", "\x1f"


def names(runs: Iterable[TextField]) -> Iterator[str]:
    """The names among an asset's searched texts: they are suggested whole."""
    for run in runs:
        if run.field in _NAMES and 2 <= len(run.text.strip()) <= LONGEST:
            yield " ".join(run.text.split())


def suggestion_terms(suggested: Sequence[str]) -> Iterator[str]:
    """The terms by whose beginning each suggestion is found; the suggestion stands at the end."""
    for name in dict.fromkeys(suggested):
        yield f"{_BY_KEYS}{keystrokes(name)}{_END}{name}"
        if (consonants := initials(name)) != name:
            yield f"{_BY_INITIALS}{consonants}{_END}{name}"


def beginnings(typed: str) -> list[str]:
    """The beginnings of terms to look for, in the order in which they are tried.

    Consonants alone are initials (ㄱㅇㅈ); else the keystrokes, then those of the other keyboard.
    """
    # Halves of surrogate pairs are no text, and no index takes them.
    text = " ".join(typed.encode("utf-8", "replace").decode().split())
    if not text:
        return []
    if only_initials(text) and len(text) > 1:
        return [_BY_INITIALS + text, _BY_KEYS + keystrokes(text)]
    return [_BY_KEYS + keystrokes(text), _BY_KEYS + other_keyboard(text)]


def suggested_by(term: str) -> str:
    """The suggestion that a term stands for."""
    return term.partition(_END)[2]


def every_word() -> str:
    """The beginning of one term of each suggestion."""
    return _BY_KEYS
