"""When what is asked is a whole name: a title, a tag, a brand as somebody types it."""

from __future__ import annotations

from collections.abc import Iterable

from hybrid_search.analysis.analyzer import stem
from hybrid_search.analysis.normalize import normalise
from hybrid_search.analysis.surface_tokens import atoms
from hybrid_search.core import TextField
from hybrid_search.core.field_schema import Fields

LONGEST = 24
"""Atoms of a name; nobody types longer ones."""
_NAMES = frozenset({"title", "texts", "brand", "campaign", "tags"})


def whole_term(text: str) -> str:
    """The text in the spelling by which whole names are equal; empty for none and long ones.

    English words count by their stem, spaces and punctuation not at all.

    >>> whole_term("무료 배송!") == whole_term("무료배송"), whole_term("Running shoes")
    (True, 'run shoe')
    """
    found = atoms(normalise(text).text)
    if len(found) > LONGEST:
        return ""
    return " ".join(stem(atom.text) if atom.kind == "word" else atom.text for atom in found)


def whole_terms(runs: Iterable[TextField], fields: Fields) -> list[str]:
    """The names of an asset in that spelling, each once, by alphabet.

    Where fields are boosted, only names of those that are boosted most.
    """
    most = max(fields.rule(name).boost for name in _NAMES)
    named = (run for run in runs if run.field in _NAMES and run.boost == most)
    return sorted({whole_term(run.text) for run in named} - {""})
