"""Cross-validated list weights: hand-worked tables, and the command over the demonstration ads."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from hybrid_search.cli.main import app
from hybrid_search.relevance.tuning.tuner import best_setting, cross_validated

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def test_the_first_of_equal_settings_is_chosen() -> None:
    table = np.array([[0.5, 0.5], [0.0, 1.0], [1.0, 0.0]])
    assert best_setting(table, np.array([0, 1])) == 0
    assert best_setting(table, np.array([0])) == 2
    assert best_setting(table, np.array([], np.int64)) == 0


def test_each_query_is_measured_under_the_setting_of_the_other_folds() -> None:
    # The second setting is better on one query only: without that query the first is chosen,
    # and on the other queries the second one.
    table = np.array([[0.5, 0.5, 0.5, 0.5, 0.5], [1.0, 0.4, 0.4, 0.4, 0.5]])
    assert cross_validated(table, seed=0).tolist() == [0.5, 0.4, 0.4, 0.4, 0.5]
    assert cross_validated(table[:, :1], seed=0).tolist() == [0.5]


def calibrated(folder: Path, *more: str) -> Any:
    files = ("--queries", str(FIXTURES / "queries.jsonl"), "--qrels", str(FIXTURES / "qrels.txt"))
    told = CliRunner().invoke(app, ["calibrate", *files, "--data-dir", str(folder), *more])
    assert told.exit_code == 0, told.output
    return told.stdout


def test_configured_weights_are_kept_unless_others_are_significantly_better(
    demonstration: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = json.loads(calibrated(demonstration[0], "--json"))["weights"]
    keys = {"ndcg_before", "ndcg_after", "interval", "better", "weights", "refused"}
    assert set(found) == keys
    assert found["ndcg_before"] == pytest.approx(0.868, abs=0.005)
    assert found["interval"][0] <= found["ndcg_after"] - found["ndcg_before"]
    assert not found["better"]
    assert found["refused"] <= 0.05
    assert "keep the configured weights" in calibrated(demonstration[0])
    monkeypatch.setenv("HYBRID_SEARCH_FUSION__METHOD", "rrf")
    monkeypatch.setenv("HYBRID_SEARCH_FUSION__TEXT_TO_IMAGE__WEIGHT", "4")
    # Matches rank first whatever the weights; where next to nothing matches, weights decide.
    for name in ("LEXICAL", "TEXT_TO_IMAGE", "COPY_SEMANTIC"):
        monkeypatch.setenv(f"HYBRID_SEARCH_FUSION__{name}__NO_MATCH_BELOW", "1")
    assert "[fusion.text_to_image] weight = 1" in calibrated(demonstration[0])


def test_only_one_of_the_two_files_is_refused(tmp_path: Path) -> None:
    asked = ["calibrate", "--queries", "q.jsonl", "--data-dir", str(tmp_path)]
    refused = CliRunner().invoke(app, asked)
    assert refused.exit_code != 0
