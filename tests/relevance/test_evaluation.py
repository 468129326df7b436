"""Measures against hand-computed values, with a table-driven searcher."""

import json
from pathlib import Path

import pytest

from hybrid_search.core import FusionSettings, ListSettings
from hybrid_search.core.errors import InvalidInput
from hybrid_search.core.queries import restrict
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.ingest.manifests import read_assets
from hybrid_search.relevance.evaluation import evaluate, read_queries
from hybrid_search.settings.settings import Settings, load_settings

WORDS = restrict(Settings().fusion.settings(), "text")
"""Lists that find nothing without a common word."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Twelve assets with number words, half of them from another source."""
    folder = tmp_path_factory.mktemp("measured")
    rows = [
        {"id": f"a{n:02d}", "title": "apple " * (12 - n), "source": "one" if n % 2 else "two"}
        for n in range(12)
    ]
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    opened = open_engine(load_settings(folder / "data"), write=True)
    opened.writer().ingest(read_assets(folder / "rows.jsonl", 1 << 20))
    return opened


def measured(
    engine: Index, folder: Path, queries: list[dict[str, str]], qrels: str
) -> dict[str, dict[str, float]]:
    (folder / "q.jsonl").write_text("\n".join(json.dumps(query) for query in queries))
    (folder / "q.txt").write_text(qrels)
    tests = list(read_queries(folder / "q.jsonl", WORDS))
    return evaluate(engine.searcher, tests, folder / "q.txt")


def ranked(engine: Index, folder: Path) -> list[str]:
    (folder / "one.jsonl").write_text('{"qid": "q", "type": "t", "text": "apple"}')
    test = next(read_queries(folder / "one.jsonl", WORDS))
    return [hit.stored.asset.id for hit in engine.searcher.search(test.query).hits]


def test_measures_of_one_query(engine: Index, tmp_path: Path) -> None:
    order = ranked(engine, tmp_path)
    qrels = f"q 0 {order[1]} 1\nq 0 {order[6]} 1\n"
    query = {"qid": "q", "type": "t", "text": "apple"}
    values = measured(engine, tmp_path, [query], qrels)["t"]
    assert (values["R@1"], values["R@5"], values["R@10"]) == (0.0, 0.5, 1.0)
    assert values["MRR@10"] == 0.5
    # (1/log2(3) + 1/log2(8)) / (1/log2(2) + 1/log2(3))
    assert values["nDCG@10"] == pytest.approx(0.5912, abs=1e-4)


def test_query_without_hits_scores_zero_in_every_measure(engine: Index, tmp_path: Path) -> None:
    order = ranked(engine, tmp_path)
    queries = [
        {"qid": "q", "type": "found", "text": "apple"},
        {"qid": "none", "type": "lost", "text": "zebra"},
    ]
    values = measured(engine, tmp_path, queries, f"q 0 {order[0]} 1\nnone 0 {order[0]} 1\n")
    assert (values["found"]["R@1"], values["lost"]["R@1"]) == (1.0, 0.0)
    for name in ("R@1", "R@10", "MRR@10", "nDCG@10"):
        assert values["all"][name] == 0.5
    assert values["all"]["n"] == 2


def test_recall_is_capped_by_the_number_of_places(engine: Index, tmp_path: Path) -> None:
    qrels = "".join(f"q 0 a{n:02d} 1\n" for n in range(12))
    query = {"qid": "q", "type": "t", "text": "apple"}
    values = measured(engine, tmp_path, [query], qrels)["t"]
    assert (values["R@1"], values["R@10"]) == (1.0, 1.0)


def test_hits_of_another_source_are_dropped_before_scoring(engine: Index, tmp_path: Path) -> None:
    order = ranked(engine, tmp_path)
    first = next(name for name in order if int(name[1:]) % 2)
    query = {"qid": "q", "type": "t", "text": "apple", "scope": "one"}
    values = measured(engine, tmp_path, [query], f"q 0 {first} 1\n")["t"]
    assert values["R@1"] == values["MRR@10"] == 1.0


def test_other_fusion_settings_change_the_measures(engine: Index, tmp_path: Path) -> None:
    best = ranked(engine, tmp_path)
    (tmp_path / "q.txt").write_text(f"q 0 {best[0]} 1\nq 0 {best[1]} 1\n")
    # Nothing reaches the threshold, so that the window alone decides what there is.
    first = FusionSettings(60.0, {"lexical": ListSettings(1, 1.0, no_match_below=2.0)})
    tests = list(read_queries(tmp_path / "one.jsonl", first))
    found = evaluate(engine.searcher, tests, tmp_path / "q.txt")
    assert (found["t"]["R@1"], found["t"]["R@5"]) == (1.0, 0.5)


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"qid": "a", "text": "x"}', '{"qid": "a", "type": "t", "image": "no.png"}']
)
def test_invalid_query_is_reported_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"qid": "a", "type": "t", "text": "x"}\n' + line)
    with pytest.raises(InvalidInput, match="line 2"):
        list(read_queries(path, load_settings(tmp_path).fusion.settings()))


def test_missing_files_are_named(engine: Index, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no file at"):
        next(read_queries(tmp_path / "none", engine.settings.fusion.settings()))
    with pytest.raises(InvalidInput, match="qrels: no file"):
        evaluate(engine.searcher, [], tmp_path / "none")
    (tmp_path / "bad").write_text("q 0 a\n")
    with pytest.raises(InvalidInput, match="not TREC qrels"):
        evaluate(engine.searcher, [], tmp_path / "bad")
