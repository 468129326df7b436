"""Matching cases: what a keyword and an exact phrase find in ad copy, one document an index."""

import json
from pathlib import Path

import pytest

from hybrid_search.adapters.tantivy_index import TantivyIndex
from hybrid_search.records import Asset, AssetId, Ordinal, StoredAsset
from hybrid_search.text.analysis import Analyzer
from hybrid_search.text.kiwi import KiwiAnalyzer
from hybrid_search.text.query_language import parse_query
from hybrid_search.text.rules import RulesAnalyzer
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


def matches(folder: Path, analyzer: Analyzer, mode: str, query: str, text: str) -> bool:
    index = TantivyIndex(folder, analyzer)
    index.add([StoredAsset(Ordinal(1), Asset(AssetId("a"), title=text), None, "")])
    index.commit(1)
    if mode == "phrase":
        found = index.phrase(query, 5)
    else:
        found = index.words(parse_query(query), 5, require_all=True)
    index.close()
    return found.total > 0


@pytest.mark.parametrize(("name", "case"), cases())
def test_case(name: str, case: dict[str, object], tmp_path: Path) -> None:
    texts = str(case["mode"]), str(case["query"]), str(case["text"])
    assert matches(tmp_path, ANALYZERS[name], *texts) == case["match"]
