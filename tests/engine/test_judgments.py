"""Judgments: storage, the last grade counts, export formats."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hybrid_search.cli.main import app
from hybrid_search.core.errors import InvalidInput
from hybrid_search.engine.judgment_pools import Pools
from hybrid_search.engine.judgments import (
    JUDGMENTS,
    Judgment,
    Judgments,
    agreements,
    as_qrels,
    qid_of,
    weighted_kappa,
)
from hybrid_search.relevance.evaluation import read_judgments


def word(query: str, asset: str, grade: int, judge: str = "kim") -> Judgment:
    return Judgment(query, asset, grade, judge, "page", "2026-11-01T10:00:00+00:00")


def test_last_grade_of_each_judge_counts(tmp_path: Path) -> None:
    kept = Judgments(tmp_path / "data")
    assert kept.current() == []
    kept.add([word("커피", "a", 1), word("커피", "b", 0)])
    kept.add([word("커피", "a", 3), word("커피", "a", 2, "lee")])
    assert kept.current() == [
        *(word("커피", "a", 3), word("커피", "b", 0)),
        word("커피", "a", 2, "lee"),
    ]


def test_truncated_line_loses_only_itself(tmp_path: Path) -> None:
    kept = Judgments(tmp_path)
    kept.add([word("q", "a", 1)])
    with (tmp_path / JUDGMENTS).open("ab") as file:
        file.write(b'{"query": "q", "asse')
    kept.add([word("q", "b", 2)])
    assert [one.asset for one in kept.current()] == ["a", "b"]


def test_grades_of_several_judges_are_averaged(tmp_path: Path) -> None:
    judged = [word("q", "a", 3), word("q", "a", 2, "lee"), word("q", "b", 0), word("p", "a", 1)]
    path = tmp_path / "qrels.txt"
    path.write_text(as_qrels(judged))
    assert read_judgments(path) == {qid_of("q"): {"a": 3, "b": 0}, qid_of("p"): {"a": 1}}


def test_weighted_kappa_worked_example() -> None:
    # By hand: the mean squared difference is .5, by chance 3.5.
    pairs = [(0, 0), (1, 0), (3, 3), (2, 3)]
    assert weighted_kappa(pairs) == pytest.approx(1 - 0.5 / 3.5)
    assert weighted_kappa([(1, 1), (1, 1)]) == 1.0


@pytest.mark.parametrize("name", ["../escape", "", "a/b", ".hidden", "x" * 61])
def test_pool_name_cannot_be_a_path(tmp_path: Path, name: str) -> None:
    pools = Pools(tmp_path)
    with pytest.raises(InvalidInput, match="pool"):
        pools.write(name, [])
    assert pools.read(name) is None
    assert list(tmp_path.rglob("*.json")) == []


def test_judges_are_compared_on_common_judgments() -> None:
    judged = [
        *(word("q", "a", 3), word("q", "b", 0), word("q", "c", 1)),
        *(word("q", "a", 3, "lee"), word("q", "b", 1, "lee"), word("p", "a", 1, "park")),
    ]
    (found,) = agreements(judged)
    assert (found.judges, found.pairs, found.same) == (("kim", "lee"), 2, 0.5)


def test_judgments_round_trip_through_the_command_line(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    Judgments(first).add([word("커피", "a", 3), word("커피", "b", 0), word("차", "a", 1)])
    runner, out = CliRunner(), tmp_path / "out"
    told = runner.invoke(app, ["lab", "export", str(out), "--data-dir", str(first), "--json"])
    assert json.loads(told.stdout) == {"queries": 2, "judgments": 3, "folder": str(out)}
    asked = ["lab", "import", str(out / "qrels.txt"), "--queries", str(out / "queries.jsonl")]
    ran = runner.invoke(app, [*asked, "--judge", "lee", "--data-dir", str(second), "--json"])
    assert json.loads(ran.stdout) == {"judgments": 3, "queries": 2}
    taken = Judgments(second).current()
    assert {(one.query, one.asset, one.grade) for one in taken} == {
        *(("커피", "a", 3), ("커피", "b", 0)),
        ("차", "a", 1),
    }
    assert {(one.judge, one.source) for one in taken} == {("lee", "qrels.txt")}
    Judgments(second).add([word("커피", "a", 2)])
    shown = runner.invoke(app, ["lab", "agreement", "--data-dir", str(second)])
    assert "kim and lee" in shown.stdout
    both = runner.invoke(app, ["lab", "agreement", "--data-dir", str(second), "--json"])
    assert json.loads(both.stdout)["agreement"][0]["pairs"] == 1
