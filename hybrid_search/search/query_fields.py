"""Queries from Python values: a text and keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

from hybrid_search.core import (
    AssetId,
    Example,
    Filter,
    FusionSettings,
    Query,
    Scope,
    Sort,
)
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.filter_json import filter_from_json

MAX_SIZE = 10_000
"""Hits of one page."""


class QueryFields(TypedDict, total=False):
    """The fields of a ``Query`` beside its text, as keyword arguments."""

    examples: Sequence[Example]
    """Pictures, assets or descriptions that hits should be like."""
    filter: Filter | Mapping[str, Any] | None
    """A filter object, or the JSON grammar of filters as a dict."""
    size: int
    offset: int
    cursor: str | None
    fusion: FusionSettings | None
    reuse: str | None
    min_similarity: float | None
    sort: Sort | str | None
    """A field name, with ``-`` before it for descending order."""
    facets: Sequence[str]
    scope: Scope | None
    """``matched`` shows matched hits alone, ``all`` related ones below them."""
    highlight: bool
    explain: bool


def make_query(query: str | Query, fields: QueryFields) -> Query:
    """The query with these fields set.

    Raises ``InvalidQuery`` that names the field, its value and its limit.

    >>> make_query("shoes", {"filter": {"brand": "Sky"}, "sort": "-price"}).sort
    Sort(field='price', descending=True)
    """
    asked = Query(query) if isinstance(query, str) else query
    given: dict[str, Any] = dict(fields)
    if isinstance(given.get("filter"), Mapping):
        given["filter"] = filter_from_json(given["filter"])
    if isinstance(given.get("sort"), str):
        given["sort"] = Sort(given["sort"].removeprefix("-"), given["sort"].startswith("-"))
    given |= {name: tuple(given[name]) for name in ("facets", "examples") if name in given}
    known = set(Query.__dataclass_fields__)
    if unknown := sorted(given.keys() - known):
        raise InvalidQuery(f"{unknown[0]}: not a field of a query ({', '.join(sorted(known))})")
    made = replace(asked, **given)
    _check_page(made)
    return made


def _check_page(query: Query) -> None:
    if not 1 <= query.size <= MAX_SIZE:
        raise InvalidQuery(f"size = {query.size}: must be from 1 to {MAX_SIZE:,}")
    check_scope(query)
    if query.offset < 0:
        raise InvalidQuery(f"offset = {query.offset}: must be 0 or more")


def check_scope(query: Query) -> None:
    """Refuse a scope that does not go with the rest of the query."""
    if query.sort is not None and query.scope == "all":
        raise InvalidQuery("scope = 'all': a sorted search shows matched ads alone; leave it out")


def make_example(like: str | bytes | Path) -> Example:
    """An example of what hits should look like: an id, a picture's bytes, or its file.

    Raises ``InvalidQuery`` for a file that cannot be read.
    """
    if isinstance(like, str):
        return Example(id=AssetId(like))
    if isinstance(like, bytes):
        return Example(picture=like)
    try:
        return Example(picture=like.read_bytes())
    except OSError as failure:
        raise InvalidQuery(f"like: {like} cannot be read, {failure.strerror}") from None
