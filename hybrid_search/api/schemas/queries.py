"""Searches as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hybrid_search.api.schemas.filters import filter_from_json
from hybrid_search.core import (
    AssetId,
    Example,
    Filter,
    FusionMethod,
    FusionSettings,
    ListName,
    ListSettings,
    Query,
    Sort,
)
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.json_input import decode_base64, parse_model

Mode = Literal["hybrid", "text", "vector"]

MAX_SIZE = 200
MAX_EXAMPLES = 20
MAX_WEIGHT = 10.0
"""Of an example, to either side."""
MAX_DEPTH = 10_000
"""How far a page may lie from the first hit: offset + size."""
SearchId = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{8,64}$")]
"""The name of a search in the log."""
_MODE_LISTS: dict[Mode, tuple[ListName, ...]] = {
    "text": ("phrase", "lexical"),
    "vector": ("text_to_image", "copy_semantic", "image_to_image"),
}


class ExampleBody(BaseModel):
    """What pictures shall be like: one of ``image``, ``id`` and ``text``."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    image: str | None = None
    """The bytes of a picture, base64."""
    id: str | None = None
    """The id of an indexed asset that has a picture."""
    text: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    """A description, to be mixed with the pictures."""
    weight: Annotated[float, Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT, allow_inf_nan=False)] = 1.0
    """How much it counts against the other examples; negative asks for pictures unlike it."""

    def to_example(self) -> Example:
        """The same as a record; raises ``InvalidQuery``."""
        given = [value for value in (self.image, self.id, self.text) if value is not None]
        if len(given) != 1:
            raise InvalidQuery("like: each example takes one of image, id and text")
        if self.id is not None:
            return Example(id=AssetId(_whole(self.id)), weight=self.weight)
        if self.text is not None:
            return Example(text=_whole(self.text), weight=self.weight)
        return Example(picture=decode_base64(self.image or ""), weight=self.weight)


class ListBody(BaseModel):
    """How one list takes part in this search."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    window: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Candidates the list may give."""
    weight: Annotated[float, Field(ge=0.0, le=100.0, allow_inf_nan=False)] | None = None
    """What a rank in it is worth."""


class SearchBody(BaseModel):
    """A search: words, pictures, or both, within a filter."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    q: str = ""
    """Words and "quoted phrases", with the operators of the query language."""
    image: str | None = None
    """The bytes of a picture to be like, base64; short for one example."""
    like: Annotated[list[ExampleBody], Field(max_length=MAX_EXAMPLES)] = []
    """Pictures to be like or unlike, with weights."""
    filter: dict[str, Any] | None = None
    """Conditions by field, see the documentation of filters."""
    size: Annotated[int, Field(ge=1, le=MAX_SIZE)] = 10
    """Hits a page."""
    offset: Annotated[int, Field(ge=0, le=MAX_DEPTH)] = 0
    """Hits to pass over; prefer ``cursor``, which stays stable while assets are written."""
    cursor: str | None = None
    """The ``cursor`` of the page before, with the same search."""
    reuse: str | None = None
    """The ``token`` of an answer to the same search: its candidates are fused anew by the weights,
    rank constant and method given here, instead of being looked for; where they are no longer
    remembered they are looked for."""
    mode: Mode = "hybrid"
    """Which lists answer: all, those of words, or those of vectors."""
    fusion: FusionMethod | None = None
    """How the lists become one: ``confident_rrf`` weighs each list's word by the evidence for it,
    ``rrf`` is plain reciprocal rank fusion; the others are dialects, see the documentation."""
    rank_constant: Annotated[float, Field(gt=0.0, le=10_000.0, allow_inf_nan=False)] | None = None
    """The k of reciprocal rank fusion."""
    lists: dict[ListName, ListBody] = {}
    """Window and weight by list, where they differ from the configured ones."""
    min_similarity: Annotated[float, Field(ge=-1.0, le=1.0, allow_inf_nan=False)] | None = None
    """Cosine similarity below which a picture is no candidate of the lists of pictures."""
    sort: Annotated[str, Field(max_length=101)] | None = None
    """A field to sort by instead of by relevance; a minus before it turns the order round."""
    facets: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=20)] = []
    """Fields whose values are counted over all matches."""
    highlight: bool = False
    """Give each hit's matched fields, and where in them the query's words stand."""
    search_id: SearchId | None = None
    """Names this search in the log, where one is kept; the service gives a name otherwise."""
    log: bool = False
    """Keep this search and what it shows in the log, without who searched."""
    explain: bool = False
    """Give each hit's rank, score, weight and contribution by list; highlights too."""

    @field_validator("q")
    @classmethod
    def _no_surrogates(cls, value: str) -> str:
        return _whole(value)

    def to_query(
        self,
        defaults: FusionSettings,
        pictures: Sequence[Example] = (),
        where: Filter | None = None,
    ) -> Query:
        """The same as a record; ``pictures`` are further examples.

        ``where`` is the filter when the body has none. Raises ``InvalidQuery``.
        """
        if self.offset + self.size > MAX_DEPTH:
            reach = self.offset + self.size
            raise InvalidQuery(f"offset + size = {reach:,}, the limit is {MAX_DEPTH:,}")
        examples = [example.to_example() for example in self.like]
        if self.image is not None:
            examples.append(Example(picture=decode_base64(self.image)))
        examples += pictures
        if len(examples) > MAX_EXAMPLES:
            raise InvalidQuery(f"like: {len(examples)} examples, the limit is {MAX_EXAMPLES}")
        return Query(
            text=self.q,
            examples=tuple(examples),
            filter=where if self.filter is None else filter_from_json(self.filter),
            size=self.size,
            offset=self.offset,
            cursor=self.cursor,
            reuse=self.reuse,
            fusion=self._settings(defaults),
            min_similarity=self.min_similarity,
            sort=None if self.sort is None else _sort(self.sort),
            facets=tuple(dict.fromkeys(self.facets)),
            highlight=self.highlight,
            search_id=self.search_id,
            log=self.log,
            explain=self.explain,
        )

    def _settings(self, defaults: FusionSettings) -> FusionSettings:
        settings = restrict(defaults, self.mode)
        lists = {
            name: _override(base, self.lists.get(name)) for name, base in settings.lists.items()
        }
        return FusionSettings(
            rank_constant=self.rank_constant or settings.rank_constant,
            lists=lists,
            method=self.fusion or settings.method,
        )


def _whole(text: str) -> str:
    """The text with a question mark for each half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode()


def restrict(settings: FusionSettings, mode: Mode) -> FusionSettings:
    """The settings with only the lists of that mode."""
    if mode == "hybrid":
        return settings
    kept = {name: settings.lists[name] for name in _MODE_LISTS[mode] if name in settings.lists}
    return replace(settings, lists=kept)


def _sort(text: str) -> Sort:
    field = text.removeprefix("-")
    if not field:
        raise InvalidQuery("sort: names no field")
    return Sort(field, descending=text.startswith("-"))


def _override(base: ListSettings, body: ListBody | None) -> ListSettings:
    if body is None:
        return base
    return replace(
        base,
        window=base.window if body.window is None else body.window,
        weight=base.weight if body.weight is None else body.weight,
    )


def query_from_json(data: Mapping[str, Any], defaults: FusionSettings) -> Query:
    """The query in a decoded JSON object; raises ``InvalidQuery`` that names the wrong part."""
    return parse_model(SearchBody, data, InvalidQuery).to_query(defaults)
