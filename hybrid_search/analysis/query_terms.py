"""The words of a query, each with what it is looked for by."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from hybrid_search.analysis.analyzer import Analyzer, word_ends, word_terms
from hybrid_search.analysis.normalize import normalise
from hybrid_search.analysis.surface_tokens import Atom, atoms


@dataclass(frozen=True, slots=True)
class QueryWord:
    """One word between spaces, analysed in its surroundings."""

    text: str
    atoms: tuple[Atom, ...]
    """Its surface, as if it stood alone; never empty."""
    parts: tuple[str, ...]
    """Its lemmas, one a position: of a compound the parts."""
    wholes: tuple[str, ...]
    """Compounds and joined words in one piece, in order of the alphabet."""

    @property
    def lemma(self) -> str:
        """The first lemma, or the word where it has none."""
        return self.parts[0] if self.parts else self.text

    @property
    def has_symbols(self) -> bool:
        """Whether there are symbols, which lemmas would lose: 1+1, 50%, c++, #신상."""
        return any(atom.kind == "symbol" for atom in self.atoms)


def query_words(text: str, analyzer: Analyzer) -> tuple[QueryWord, ...]:
    """The words in order; those without an atom are left out.

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
        if own := tuple(atoms(word)):
            inside = [item for item in lemmas if start <= item[2] and item[3] <= end]
            parts = _one_each(inside)
            wholes = tuple(sorted({form for form, *_ in inside} - set(parts)))
            words.append(QueryWord(word, own, parts, wholes))
        start = end
    return tuple(words)


def _one_each(lemmas: list[tuple[str, int, int, int]]) -> tuple[str, ...]:
    """One lemma a position, the shortest: of a compound its first part."""
    places = (list(group) for _, group in groupby(lemmas, key=lambda item: item[1]))
    return tuple(min(group, key=lambda item: item[3] - item[2])[0] for group in places)
