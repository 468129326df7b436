"""Matching cases: a regression list of queries that must match a text, or must not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict

from hybrid_search.analysis.query_parser import parse_query
from hybrid_search.core import Asset, AssetId, Ordinal, StoredAsset
from hybrid_search.core.errors import InvalidInput
from hybrid_search.core.json_input import parse_model, read_json
from hybrid_search.search.text_search import TextSearch

NewIndex = Callable[[], AbstractContextManager[TextSearch]]
"""An empty index to search, closed and removed at the end of the context."""


class MatchingCase(BaseModel):
    """A query, a text and whether it must match; other keys describe the case."""

    model_config = ConfigDict(extra="allow")

    mode: Literal["keyword", "phrase"]
    query: str
    text: str
    match: bool


class MatchingReport(TypedDict):
    """The number of passed cases, and the failed ones."""

    passed: int
    total: int
    misses: list[dict[str, Any]]


def read_cases(path: Path) -> Iterator[MatchingCase]:
    """The cases of a JSONL file; raises ``InvalidInput`` with the number of the wrong line."""
    if not path.is_file():
        raise InvalidInput(f"cases: no file at {path}")
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield parse_model(MatchingCase, read_json(line, InvalidInput), InvalidInput)
        except InvalidInput as failure:
            raise InvalidInput(f"cases: {path.name} line {number}: {failure}") from None


def run_cases(
    cases: list[MatchingCase], new_index: NewIndex, progress: Callable[[], None] | None = None
) -> MatchingReport:
    """Each case against an index of its text only; a keyword query must match with all words."""
    misses = []
    for case in cases:
        if matches(case, new_index) != case.match:
            misses.append(case.model_dump())
        if progress is not None:
            progress()
    return {"passed": len(cases) - len(misses), "total": len(cases), "misses": misses}


def matches(case: MatchingCase, new_index: NewIndex) -> bool:
    """Whether the query finds the text."""
    with new_index() as search:
        asset = Asset(AssetId("case"), title=case.text)
        search.index.add([StoredAsset(Ordinal(1), asset, None, "")])
        search.index.commit(1)
        if case.mode == "phrase":
            return search.phrase(case.query, 1).total > 0
        return search.words(parse_query(case.query), 1, require_all=True).total > 0
