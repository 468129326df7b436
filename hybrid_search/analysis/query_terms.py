"""The words of a query with their surface atoms and lemmas."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from hybrid_search.analysis.analyzer import Analyzer, word_ends, word_terms
from hybrid_search.analysis.normalize import normalise
from hybrid_search.analysis.surface_tokens import Atom, atoms


@dataclass(frozen=True, slots=True)
class QueryWord:
    """One word between spaces, analysed in the context of the whole text."""

    text: str
    atoms: tuple[Atom, ...]
    """Its surface atoms, as if it stood alone; never empty."""
    parts: tuple[str, ...]
    """Its lemmas, one per position; of a compound its parts."""
    wholes: tuple[str, ...]
    """Compounds and hyphenated words in one piece, sorted."""

    @property
    def lemma(self) -> str:
        """The first lemma, or the word itself without one."""
        return self.parts[0] if self.parts else self.text

    @property
    def has_symbols(self) -> bool:
        """Whether the word has symbols, which lemmas do not keep: 1+1, 50%, c++, #신상."""
        return any(atom.kind == "symbol" for atom in self.atoms)


def query_words(text: str, analyzer: Analyzer) -> tuple[QueryWord, ...]:
    """The words in order, without those that have no atom.

    >>> from hybrid_search.analysis.rules import RulesAnalyzer
    >>> [(word.text, word.parts) for word in query_words("강아지를 위한 c++", RulesAnalyzer())]
    [('강아지를', ('강아지',)), ('위한', ('위한',)), ('c++', ('c', '+', '+'))]
    """
    norm = normalise(text).text
    morphemes = analyzer.morphemes(norm)
    lemmas = word_terms(norm, atoms(norm, word_ends(morphemes)), morphemes)
    words, start = [], 0
    for word in norm.split():
        start = norm.index(word, start)
        end = start + len(word)
        if surface := tuple(atoms(word)):
            inside = [item for item in lemmas if start <= item[2] and item[3] <= end]
            parts = _shortest_per_position(inside)
            wholes = tuple(sorted({form for form, *_ in inside} - set(parts)))
            words.append(QueryWord(word, surface, parts, wholes))
        start = end
    return tuple(words)


def _shortest_per_position(lemmas: list[tuple[str, int, int, int]]) -> tuple[str, ...]:
    """The shortest lemma of each position; of a compound, its first part."""
    places = (list(group) for _, group in groupby(lemmas, key=lambda item: item[1]))
    return tuple(min(group, key=lambda item: item[3] - item[2])[0] for group in places)
