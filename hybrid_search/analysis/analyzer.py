"""Text into index terms: surface terms for exact phrases, lemmas and stems for ranked words."""

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
    """A morpheme's dictionary form and Sejong part-of-speech tag, at characters [start, end)."""

    form: str
    tag: str
    start: int
    end: int


class Analyzer(Protocol):
    """Korean morphological analysis. Safe to call from several threads."""

    @property
    def fingerprint(self) -> str:
        """A text that changes whenever the analyzer's terms may change."""
        ...

    def morphemes(self, normalised: str) -> Sequence[Morpheme]:
        """The morphemes of a normalised text, in order of their start."""
        ...


@dataclass(frozen=True, slots=True)
class Term:
    """An index term at a token position, from characters [start, end) of the original text."""

    text: str
    position: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Analysed:
    """The terms of one text in both indexes, each in order of position."""

    exact: tuple[Term, ...]
    """Surface terms, for phrases."""
    words: tuple[Term, ...]
    """Lemmas, stems and numbers, for ranked words."""
    suggested: tuple[str, ...] = ()
    """Suggestions for completion: the normalised nouns, compounds and Latin words of the text."""


_CONTENT = ("N", "V", "MA", "MM", "XR")
"""Tags of content words: nouns, verbs, adjectives, adverbs, determiners, roots."""
_AUXILIARY = ("VX", "VCP", "VCN")
"""Auxiliary verbs and the copulas 이다 and 아니다."""
_COMPOUND_LATIN = re.compile(r"[^\W\d_]+(?:[-'’&.][^\W\d_]+)+")
_OTHER_KINDS = ("word", "number", "emoji", "cjk", "jamo", "symbol")
"""Kinds of atoms that are not Hangul syllables: each is a word of its own."""


def analyse(text: str, analyzer: Analyzer) -> Analysed:
    """The terms of a text; their offsets point into the text before normalisation."""
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
    """The starts of particles (J), copulas and derivational suffixes (XSV, XSA).

    The noun before each of them ends there, so that it matches as a whole word.
    """
    return frozenset(
        m.start for m in morphemes if m.tag.startswith("J") or m.tag in {"VCP", "XSV", "XSA"}
    )


def word_terms(
    text: str, surface: Sequence[Atom], morphemes: Sequence[Morpheme]
) -> list[tuple[str, int, int, int]]:
    """The lemmas, stems and numbers as (form, position, start, end), by position.

    A compound is also indexed as a whole at the position of its first part, a percentage at that of
    its number, and a hyphenated Latin word (coca-cola) in one piece at that of its first part.
    """
    found = [(m.form, m.start, m.end) for m in morphemes if _is_content(m)]
    found += [(stem(a.text), a.start, a.end) for a in surface if a.kind in _OTHER_KINDS]
    found.sort(key=lambda item: (item[1], item[2]))
    terms = [(form, position, start, end) for position, (form, start, end) in enumerate(found)]
    starts = [start for _, start, _ in found]
    for form, start, end in (
        *_compounds(text, morphemes),
        *_compound_latin(text),
        *_percentages(surface),
    ):
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
    """(form, start, end) of each run of two or more nouns and noun affixes without a space."""
    runs: list[list[Morpheme]] = [[]]
    for morpheme in morphemes:
        noun = morpheme.tag.startswith(("NN", "XPN", "XSN", "XR"))
        if not noun or (runs[-1] and runs[-1][-1].end != morpheme.start):
            runs.append([])
        if noun:
            runs[-1].append(morpheme)
    whole = [(run[0].start, run[-1].end) for run in runs if len(run) > 1]
    return [(text[start:end], start, end) for start, end in whole]


def _compound_latin(text: str) -> list[tuple[str, int, int]]:
    """(form, start, end) of Latin words joined by hyphen, apostrophe, ampersand or point."""
    return [
        (stem(re.sub(r"[-'’&.]", "", match.group())), match.start(), match.end())
        for match in _COMPOUND_LATIN.finditer(text)
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
    """The Snowball English stem of a Latin word without accents; other words unchanged.

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
