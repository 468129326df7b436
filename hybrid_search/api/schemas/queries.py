"""Queries as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hybrid_search.core import (
    AssetId,
    Example,
    Filter,
    FusionMethod,
    FusionSettings,
    ListName,
    ListSettings,
    Mode,
    Query,
    Scope,
    Sort,
    restrict,
)
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.filter_json import filter_from_json
from hybrid_search.core.json_input import decode_base64, parse_model
from hybrid_search.search.query_fields import check_scope

MAX_SIZE = 200
MAX_EXAMPLES = 20
MAX_WEIGHT = 10.0
"""Largest weight of an example, positive or negative."""
MAX_DEPTH = 10_000
"""Largest offset + size."""
SearchId = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{8,64}$")]
"""The id of a search in the query log."""


class ExampleBody(BaseModel):
    """An example of the wanted pictures: one of ``image``, ``id`` and ``text``."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    image: str | None = None
    """The bytes of a picture in base64."""
    id: str | None = None
    """The id of an indexed asset that has a picture."""
    text: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    """A description of the picture."""
    weight: Annotated[float, Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT, allow_inf_nan=False)] = 1.0
    """Weight relative to the other examples; negative finds pictures unlike it."""

    def to_example(self) -> Example:
        """The example as a record; raises ``InvalidQuery``."""
        given = [value for value in (self.image, self.id, self.text) if value is not None]
        if len(given) != 1:
            raise InvalidQuery("like: an example has one of image, id and text")
        if self.id is not None:
            return Example(id=AssetId(_without_surrogates(self.id)), weight=self.weight)
        if self.text is not None:
            return Example(text=_without_surrogates(self.text), weight=self.weight)
        return Example(picture=decode_base64(self.image or ""), weight=self.weight)


class ListBody(BaseModel):
    """Settings of one candidate list for this search."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    window: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Number of candidates from this list."""
    weight: Annotated[float, Field(ge=0.0, le=100.0, allow_inf_nan=False)] | None = None
    """Weight of this list in fusion."""


class SearchBody(BaseModel):
    """A search by words, pictures, or both, with an optional filter."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    q: str = ""
    """Words, "quoted phrases" and operators of the query language."""
    image: str | None = None
    """The bytes of a picture in base64; short for one example."""
    like: Annotated[list[ExampleBody], Field(max_length=MAX_EXAMPLES)] = []
    """Examples that hits should look like or not look like, with weights."""
    filter: dict[str, Any] | None = None
    """Conditions by field; see the documentation of filters."""
    size: Annotated[int, Field(ge=1, le=MAX_SIZE)] = 10
    """Hits on a page."""
    offset: Annotated[int, Field(ge=0, le=MAX_DEPTH)] = 0
    """Hits to skip; prefer ``cursor``, which is stable while assets are written."""
    cursor: str | None = None
    """The ``cursor`` of the previous page of the same search."""
    reuse: str | None = None
    """The ``token`` of an answer to the same search: its candidates are fused again with the
    weights, rank constant and method of this request. When they are no longer cached, they are
    retrieved again."""
    mode: Mode = "hybrid"
    """Candidate lists to use: all, those of words, or those of vectors."""
    fusion: FusionMethod | None = None
    """Fusion method: ``confident_rrf`` multiplies each list's weight by the candidate's confidence,
    ``rrf`` is plain reciprocal rank fusion; for the others see the documentation."""
    rank_constant: Annotated[float, Field(gt=0.0, le=10_000.0, allow_inf_nan=False)] | None = None
    """The constant k of reciprocal rank fusion."""
    lists: dict[ListName, ListBody] = {}
    """Window and weight by list, where they differ from the settings."""
    min_similarity: Annotated[float, Field(ge=-1.0, le=1.0, allow_inf_nan=False)] | None = None
    """Lowest cosine similarity of a candidate in the lists of pictures."""
    sort: Annotated[str, Field(max_length=101)] | None = None
    """A field to sort by instead of relevance; a leading minus sorts in descending order. A sorted
    search shows the matches alone."""
    scope: Scope | None = None
    """``matched`` shows the matches alone; ``all``, the default without ``sort``, shows related
    hits below them."""
    facets: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=20)] = []
    """Fields to count values of, over the matches."""
    highlight: bool = False
    """Return the matched fields of each hit, and the positions of the query's words in them."""
    search_id: SearchId | None = None
    """The id of this search in the query log; generated by default."""
    log: bool = False
    """Log this search and its hits, without the user."""
    explain: bool = False
    """Return the rank, score, weight and contribution of each hit by list; highlights too."""

    @field_validator("q")
    @classmethod
    def _clean_text(cls, value: str) -> str:
        return _without_surrogates(value)

    def to_query(
        self,
        defaults: FusionSettings,
        pictures: Sequence[Example] = (),
        where: Filter | None = None,
    ) -> Query:
        """The query as a record; ``pictures`` are additional examples.

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
        query = Query(
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
            scope=self.scope,
        )
        check_scope(query)
        return query

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


def _without_surrogates(text: str) -> str:
    """The text with a question mark for each lone surrogate."""
    return text.encode("utf-8", "replace").decode()


def _sort(text: str) -> Sort:
    field = text.removeprefix("-")
    if not field:
        raise InvalidQuery("sort: the name of a field is missing")
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
    """The query of a decoded JSON object; raises ``InvalidQuery`` that names the invalid part."""
    return parse_model(SearchBody, data, InvalidQuery).to_query(defaults)
