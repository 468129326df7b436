"""Matching cases for keywords and exact phrases, with one document in each index."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from hybrid_search.analysis.analyzer import Analyzer
from hybrid_search.analysis.kiwi import KiwiAnalyzer
from hybrid_search.analysis.rules import RulesAnalyzer
from hybrid_search.core.errors import InvalidInput
from hybrid_search.core.ports import LexicalIndex
from hybrid_search.relevance.analyzer_cases import MatchingCase, matches, read_cases, run_cases
from hybrid_search.search.text_search import TextSearch
from hybrid_search.stores.embedded.lexical.index import TantivyIndex
from hybrid_search.stores.memory import MemoryLexical
from tests.shared_data import SHARED

CASES = SHARED / "data/text_cases/matching.jsonl"
ANALYZERS: dict[str, Analyzer] = {"kiwi": KiwiAnalyzer(), "rules": RulesAnalyzer()}
_INFLECTION = "an inflected form meets its dictionary form only through morphology"
_BEGINNING = "with few hits a word also finds longer words that begin with it"
KNOWN_MISSES: dict[str, dict[int, str]] = {
    "kiwi": {17: _BEGINNING},
    "rules": {
        7: _INFLECTION,
        8: _INFLECTION,
        9: _INFLECTION,
        10: _INFLECTION,
        17: _BEGINNING,
        43: "without a dictionary 20대여성 is not cut into its words",
    },
}


def cases() -> list[object]:
    if not CASES.is_file():
        reason = "needs data/text_cases in a folder named shared beside the checkout"
        return [pytest.param("kiwi", {}, marks=pytest.mark.skip(reason=reason))]
    found = [json.loads(line) for line in CASES.read_text("utf-8").splitlines()]
    return [
        pytest.param(name, case, id=f"{name}-{case['case']}", marks=_marks(name, case["case"]))
        for name in ANALYZERS
        for case in found
    ]


def _marks(name: str, case: int) -> list[pytest.MarkDecorator]:
    reason = KNOWN_MISSES[name].get(case)
    return [pytest.mark.xfail(reason=reason, strict=True)] if reason else []


@pytest.mark.parametrize(("name", "case"), cases())
def test_case(name: str, case: dict[str, Any], tmp_path: Path) -> None:
    def new_index() -> AbstractContextManager[TextSearch]:
        return opened(TantivyIndex(tmp_path, ANALYZERS[name]), ANALYZERS[name])

    asked = MatchingCase(**case)
    assert matches(asked, new_index) == asked.match


@contextmanager
def opened(index: LexicalIndex, analyzer: Analyzer) -> Iterator[TextSearch]:
    with closing(index):
        yield TextSearch(index, analyzer)


def memory_index() -> AbstractContextManager[TextSearch]:
    return opened(MemoryLexical(RulesAnalyzer()), RulesAnalyzer())


def test_failed_cases_are_reported_by_name(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    rows = [
        {"case": 1, "mode": "keyword", "query": "여름 신발", "text": "여름 신발", "match": True},
        {"case": 2, "mode": "keyword", "query": "여름 신발", "text": "여름 특가", "match": False},
        {"case": 3, "mode": "phrase", "query": "신발 여름", "text": "여름 신발", "match": True},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    report = run_cases(list(read_cases(path)), memory_index)
    assert (report["passed"], report["total"]) == (2, 3)
    assert report["misses"] == [rows[2]]


@pytest.mark.parametrize("line", ["{", "[]", '{"mode": "fuzzy", "query": "", "text": ""}'])
def test_invalid_case_is_reported_with_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "cases.jsonl").write_text(f"\n{line}")
    with pytest.raises(InvalidInput, match="line 2"):
        list(read_cases(tmp_path / "cases.jsonl"))
