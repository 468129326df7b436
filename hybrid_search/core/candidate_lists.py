"""The candidate lists: every kind in one table, from which the rest is derived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ListName = Literal["phrase", "lexical", "text_to_image", "copy_semantic", "image_to_image"]
"""The names of the candidate lists, for the type checker; a test compares them with ``LISTS``."""

NO_MATCH = 0.35
"""The confidence from which on a candidate matches, unless list or settings say otherwise."""


@dataclass(frozen=True, slots=True)
class ListSpec:
    """One kind of candidate list."""

    name: ListName
    source: Literal["phrases", "words", "picture_vectors", "text_vectors"]
    """What of the store it is retrieved from."""
    asked_by: Literal["text", "examples"]
    """Which part of a query it answers."""
    modality: Literal["text", "picture"]
    """What an asset must have to be found by it."""
    evidence: Literal["certain", "information", "similarity"]
    """What its confidence comes from: nothing (always 1), the share of the query's information, or
    the similarity against the baseline of the index."""
    label: str
    """A short name, for tables in a terminal."""
    description: str
    """What it holds, as docs/search.md says it."""
    window: int = 100
    """How many candidates it may have, unless settings or a query say otherwise."""
    weight: float = 1.0
    """Its weight in fusion, unless settings or a query say otherwise."""
    no_match_below: float = NO_MATCH
    """The confidence from which on a candidate matches, unless settings say otherwise."""


_SPECS = (
    ListSpec(
        name="phrase",
        source="phrases",
        asked_by="text",
        modality="text",
        evidence="certain",
        label="phrase",
        description="assets that contain the quoted phrases",
        window=200,
    ),
    ListSpec(
        name="lexical",
        source="words",
        asked_by="text",
        modality="text",
        evidence="information",
        label="words",
        description="assets with the words: whole-name matches first, then by the share of the "
        "query that they match, then by BM25",
        weight=2.0,
    ),
    ListSpec(
        name="text_to_image",
        source="picture_vectors",
        asked_by="text",
        modality="picture",
        evidence="similarity",
        label="meaning",
        description="pictures whose embedding is similar to that of the query text",
    ),
    ListSpec(
        name="copy_semantic",
        source="text_vectors",
        asked_by="text",
        modality="text",
        evidence="similarity",
        label="text",
        description="assets whose text has a similar meaning to the query text",
    ),
    ListSpec(
        name="image_to_image",
        source="picture_vectors",
        asked_by="examples",
        modality="picture",
        evidence="similarity",
        label="likeness",
        description="pictures similar to the examples",
        no_match_below=0.15,
    ),
)

LISTS: Mapping[ListName, ListSpec] = {spec.name: spec for spec in _SPECS}
"""Every candidate list, in the order that breaks ties."""

LIST_NAMES: tuple[ListName, ...] = tuple(LISTS)
"""Their names, in that order."""

Mode = Literal["hybrid", "text", "vector"]
"""Which candidate lists a search uses: all, those of words, or those of vectors."""


def list_rank(name: ListName) -> int:
    """The place of a list in the order that breaks ties."""
    return LIST_NAMES.index(name)


def lists_of(mode: Mode) -> tuple[ListName, ...]:
    """The lists that a mode uses.

    >>> lists_of("text")
    ('phrase', 'lexical')
    """
    if mode == "hybrid":
        return LIST_NAMES
    of_words = [name for name, spec in LISTS.items() if spec.source in {"phrases", "words"}]
    return tuple(name for name in LIST_NAMES if (name in of_words) == (mode == "text"))
