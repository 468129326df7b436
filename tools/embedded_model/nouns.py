"""WordNet's nouns with their names and hypernyms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TOO_GENERAL = frozenset(
    (
        "entity", "physical entity", "object", "whole", "artifact", "abstraction",
        "instrumentality", "matter", "thing", "unit", "psychological feature", "group", "relation",
        "attribute", "measure",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Noun:
    """A synset: names, hypernyms, gloss."""

    names: tuple[str, ...]
    above: tuple[str, ...]
    gloss: str


def read_nouns(folder: Path) -> dict[str, Noun]:
    """Return all nouns by their eight-digit offset in ``data.noun``."""
    nouns = {}
    for line in _entries(folder / "data.noun"):
        head, gloss = line.split(" | ", 1)
        parts = head.split(" ")
        count = int(parts[3], 16)
        names = tuple(parts[4 + 2 * i].replace("_", " ") for i in range(count))
        pointers = parts[5 + 2 * count :]
        above = tuple(
            pointers[4 * i + 1]
            for i in range(int(parts[4 + 2 * count]))
            if pointers[4 * i] in {"@", "@i"}
        )
        nouns[parts[0]] = Noun(names, above, gloss.strip())
    return nouns


def read_words(folder: Path) -> Iterator[str]:
    """Yield words and phrases of every part of speech, except those with digits."""
    for kind in ("noun", "verb", "adj", "adv"):
        for line in _entries(folder / f"data.{kind}"):
            parts = line.split(" ")
            for i in range(int(parts[3], 16)):
                word = re.sub(r"\(\w+\)$", "", parts[4 + 2 * i]).replace("_", " ")
                if not any(letter.isdigit() for letter in word):
                    yield word


def read_glosses(folder: Path) -> Iterator[str]:
    """Yield definitions and examples, one a line."""
    for kind in ("noun", "verb", "adj", "adv"):
        for line in _entries(folder / f"data.{kind}"):
            for part in line.split(" | ", 1)[1].split(";"):
                gloss = part.strip().strip('"')
                if 5 < len(gloss) < 90:
                    yield gloss


def kinds_of(nouns: dict[str, Noun], offset: str, levels: int = 6) -> Iterator[tuple[str, int]]:
    """Yield the names of hypernyms with their distance, from 1; general ones are left out."""
    here = [offset]
    for level in range(1, levels + 1):
        here = [above for one in here for above in nouns[one].above]
        for one in here:
            if nouns[one].names[0] not in TOO_GENERAL:
                yield nouns[one].names[0], level


def _entries(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith("  "):  # skip the licence at the top
                yield line.rstrip("\n")
