"""Copy into index terms: surface terms for exact phrases, lemmas for ranked words."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Protocol

import tantivy

from hybrid_search.analysis.normalize import normalise
from hybrid_search.analysis.surface_tokens import Atom, atoms, index_terms


@dataclass(frozen=True, slots=True)
class Morpheme:
    """A dictionary form with its part of speech (Sejong tags), at characters [start, end)."""

    form: str
    tag: str
    start: int
    end: int


class Analyzer(Protocol):
    """Korean morphology. Safe to call from several threads."""

    @property
    def fingerprint(self) -> str:
        """Names all that decides which terms come out."""
        ...

    def morphemes(self, normalised: str) -> Sequence[Morpheme]:
        """The morphemes of a normalised text, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Term:
    """An index term at a position, from characters [start, end) of the original text."""

    text: str
    position: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Analysed:
    """One text as terms of both views, in order of position."""

    exact: tuple[Term, ...]
    words: tuple[Term, ...]
    suggested: tuple[str, ...] = ()
    """The nouns, compounds and Latin words of the text, in one spelling, as suggestions."""


_CONTENT = ("N", "V", "MA", "MM", "XR")
_AUXILIARY = ("VX", "VCP", "VCN")
_JOINED = re.compile(r"[^\W\d_]+(?:[-'’&.][^\W\d_]+)+")
_LATIN = ("word", "number", "emoji", "cjk", "jamo", "symbol")


def analyse(text: str, analyzer: Analyzer) -> Analysed:
    """The terms of a text; offsets point into the text as it was given."""
    norm = normalise(text)
    morphemes = analyzer.morphemes(norm.text)
    surface = atoms(norm.text, word_ends(morphemes))

    def term(form: str, position: int, start: int, end: int) -> Term:
        return Term(form, position, *norm.source_span(start, end))

    exact = [
        term(form, position, atom.start, atom.end)
        for position, atom in enumerate(surface)
        for form in index_terms(atom)
    ]
    words = [term(*found) for found in word_terms(norm.text, surface, morphemes)]
    return Analysed(tuple(exact), tuple(words), _suggested(norm.text, surface, morphemes))


def word_ends(morphemes: Sequence[Morpheme]) -> frozenset[int]:
    """Where a particle, a copula or a verbal suffix begins: the noun before it is a word."""
    return frozenset(
        m.start for m in morphemes if m.tag.startswith("J") or m.tag in {"VCP", "XSV", "XSA"}
    )


def word_terms(
    text: str, surface: Sequence[Atom], morphemes: Sequence[Morpheme]
) -> list[tuple[str, int, int, int]]:
    """(lemma, position, start, end) in order: Korean lemmas and compounds, stems, numbers.

    The whole of a compound stands at the position of its first part, a percentage beside its
    number, and a joined Latin word (coca-cola) also in one piece.
    """
    found = [(m.form, m.start, m.end) for m in morphemes if _is_content(m)]
    found += [(stem(a.text), a.start, a.end) for a in surface if a.kind in _LATIN]
    found.sort(key=lambda item: (item[1], item[2]))
    terms = [(form, place, start, end) for place, (form, start, end) in enumerate(found)]
    starts = [start for _, start, _ in found]
    for form, start, end in (*_compounds(text, morphemes), *_joined(text), *_percentages(surface)):
        terms.append((form, bisect_left(starts, start), start, end))
    return sorted(dict.fromkeys(terms), key=lambda item: (item[1], item[2]))


def _suggested(
    text: str, surface: Sequence[Atom], morphemes: Sequence[Morpheme]
) -> tuple[str, ...]:
    nouns = [m.form for m in morphemes if m.tag.startswith("NN") and len(m.form) > 1]
    whole = [form for form, _, _ in _compounds(text, morphemes)]
    latin = [atom.text for atom in surface if atom.kind == "word" and len(atom.text) > 2]
    return tuple(dict.fromkeys((*nouns, *whole, *latin)))


def _is_content(morpheme: Morpheme) -> bool:
    tag = morpheme.tag
    return tag.startswith(_CONTENT) and not tag.startswith(_AUXILIARY) and tag != "NP"


def _compounds(text: str, morphemes: Sequence[Morpheme]) -> list[tuple[str, int, int]]:
    """Runs of two or more nouns and noun affixes without a space between them."""
    runs: list[list[Morpheme]] = [[]]
    for morpheme in morphemes:
        noun = morpheme.tag.startswith(("NN", "XPN", "XSN", "XR"))
        if not noun or (runs[-1] and runs[-1][-1].end != morpheme.start):
            runs.append([])
        if noun:
            runs[-1].append(morpheme)
    whole = [(run[0].start, run[-1].end) for run in runs if len(run) > 1]
    return [(text[start:end], start, end) for start, end in whole]


def _joined(text: str) -> list[tuple[str, int, int]]:
    """Latin words held together by a hyphen, apostrophe, ampersand or point, in one piece."""
    return [
        (stem(re.sub(r"[-'’&.]", "", match.group())), match.start(), match.end())
        for match in _JOINED.finditer(text)
        if not re.search("[\uac00-\ud7a3]", match.group())
    ]


def _percentages(surface: Sequence[Atom]) -> list[tuple[str, int, int]]:
    return [
        (number.text + "%", number.start, sign.end)
        for number, sign in pairwise(surface)
        if number.kind == "number" and sign.text == "%" and number.end == sign.start
    ]


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The English stem without accents; other words as they are.

    >>> stem("running"), stem("café")
    ('run', 'cafe')
    """
    plain = "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
    if not plain.isascii() or not plain.isalpha():
        return word
    stems = _STEMMER.analyze(plain)
    return stems[0] if stems else plain


_STEMMER = (
    tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw())
    .filter(tantivy.Filter.stemmer("english"))
    .build()
)
