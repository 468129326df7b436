"""Keys of whole names: a query that equals a title, tag, brand or campaign is recognised."""

from __future__ import annotations

from collections.abc import Iterable

from hybrid_search.analysis.analyzer import stem
from hybrid_search.analysis.normalize import normalise
from hybrid_search.analysis.surface_tokens import atoms
from hybrid_search.core import TextField
from hybrid_search.core.field_schema import Fields

LONGEST = 24
"""Atoms of the longest name with a key. Longer ones are not typed as a whole."""
_NAMES = frozenset({"title", "texts", "brand", "campaign", "tags"})


def whole_term(text: str) -> str:
    """The key by which whole names are compared; empty for no atoms and for long texts.

    English words are stemmed. Spaces and punctuation are ignored.

    >>> whole_term("무료 배송!") == whole_term("무료배송"), whole_term("Running shoes")
    (True, 'run shoe')
    """
    found = atoms(normalise(text).text)
    if len(found) > LONGEST:
        return ""
    return " ".join(stem(atom.text) if atom.kind == "word" else atom.text for atom in found)


def whole_terms(texts: Iterable[TextField], fields: Fields) -> list[str]:
    """The keys of an asset's names, each once, sorted.

    Only names in the fields with the highest boost of all name fields count.
    """
    highest = max(fields.rule(name).boost for name in _NAMES)
    names = (one for one in texts if one.field in _NAMES and one.boost == highest)
    return sorted({whole_term(name.text) for name in names} - {""})
