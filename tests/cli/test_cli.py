"""The command line: real processes, exit codes, one-line errors."""

import io
import json
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from hybrid_search.cli import main
from tests.small_corpus import write_manifest

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "assets.jsonl"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hybrid_search", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def here(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in this process, with libraries already loaded."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["hybrid-search", *words])
        try:
            main.run()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def test_ingest_search_and_status(tmp_path: Path) -> None:
    manifest = tmp_path / "ads.csv"
    manifest.write_text(
        "id,title,brand,tags\na,무료배송 이벤트,하늘,배송|무료\nb,Sale,Sky,\n", "utf-8"
    )
    where = ("--data-dir", str(tmp_path / "data"), "--json")
    report = json.loads(run("ingest", str(manifest), *where).stdout)
    assert report.pop("seconds") > 0
    assert report == {
        "indexed": 2,
        "unchanged": 0,
        "updated": 0,
        "skipped": [],
        "pictures": 0,
        "embedded": 0,
        "pictures_per_second": 0.0,
    }
    found = json.loads(run("search", "무료 배송", "--mode", "text", *where).stdout)
    assert [hit["id"] for hit in found["hits"]] == ["a"]
    filtered = json.loads(run("search", "--filter", "brand:sky", *where).stdout)
    assert [hit["id"] for hit in filtered["hits"]] == ["b"]
    status = json.loads(run("status", *where).stdout)
    assert (status["assets"], status["lexical"]["documents"]) == (2, 2)
    assert "무료배송" in run("search", "배송", "--mode", "text", *where[:2]).stdout


def test_errors_are_one_line_and_an_exit_code(tmp_path: Path) -> None:
    missing = run("search", "x", "--data-dir", str(tmp_path))
    assert (missing.returncode, missing.stdout) == (3, "")
    assert "hybrid-search ingest" in missing.stderr
    assert "Traceback" not in missing.stderr
    elsewhere = here("status", "--index", "opensearch://localhost/ads")
    assert elsewhere.returncode == 2
    assert "opensearch:// is not supported" in elsewhere.stderr
    wrong = run("ingest", str(tmp_path / "nothing.xyz"), "--data-dir", str(tmp_path / "d"))
    assert wrong.returncode == 2
    assert "neither a folder nor a manifest" in wrong.stderr


def test_the_demonstration(demonstration: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, demo = demonstration
    ingest = demo["ingest"]
    assert (ingest["indexed"], ingest["unchanged"], ingest["updated"]) == (310, 0, 0)
    assert (ingest["skipped"], ingest["pictures"]) == ([], 304)
    assert 0 < ingest["embedded"] <= 304
    assert ingest["pictures_per_second"] == pytest.approx(304 / ingest["seconds"], abs=0.1)
    phrase, korean, likeness = demo["searches"].values()
    assert all(hit["phrases"] == 1 for hit in phrase["hits"])
    assert korean["hits"][0]["id"].startswith("meongnyang-dog")
    assert likeness["hits"][0]["id"] == "bada-crab-portrait"
    assert demo["evaluation"]["phrase"]["R@10"] == 1.0
    assert demo["evaluation"]["all"]["n"] == 102
    shutil.copytree(folder, tmp_path / "demo")
    again = here("ingest", str(FIXTURES), "--data-dir", str(tmp_path / "demo"), "--json")
    assert json.loads(again.stdout)["unchanged"] == 310


def test_search_options(tmp_path: Path, manifest: Path) -> None:
    where = ("--data-dir", str(tmp_path / "data"))
    assert here("ingest", str(manifest), *where).returncode == 0
    words = ("search", "summer", *where, "--json", "--rank-constant", "2", "--explain")
    lists = json.loads(here(*words, "--weight", "lexical=3", "--window", "text_to_image=1").stdout)
    assert lists["rank_constant"] == 2.0
    by_name = {report["list"]: report for report in lists["lists"]}
    assert (by_name["lexical"]["weight"], by_name["text_to_image"]["window"]) == (3.0, 1)
    picture = str(manifest.parent / "red.png")
    for asked in (("search", "--image", picture), ("similar", picture), ("similar", "red")):
        found = json.loads(here(*asked, *where, "--json").stdout)
        assert "red-again" in [hit["id"] for hit in found["hits"][:2]]
    unlike = json.loads(here("search", "--unlike", "red", *where, "--json").stdout)
    assert unlike["hits"][0]["id"] == "blue"
    mixed = ("--like", "red", "--unlike-text", "red circle", "--min-similarity", "-1")
    assert json.loads(here("search", *mixed, *where, "--json").stdout)["hits"]
    nothing = ("--like", "red", "--min-similarity", "1")
    found = json.loads(here("search", *nothing, *where, "--json").stdout)
    assert [hit["id"] for hit in found["hits"]] == ["red-again"]
    assert found["lists"][0]["plan"].endswith("from 1.0 up")
    wrong = here("search", "summer", *where, "--weight", "lexical")
    assert (wrong.returncode, "lists.lexical.weight" in wrong.stderr) == (2, True)
    unknown = here("similar", "nobody", *where)
    assert (unknown.returncode, "nobody" in unknown.stderr) == (1, True)
    sorted_ = ("search", "--sort", "-price", "--facet", "brand", "--size", "2")
    cheap = json.loads(here(*sorted_, *where, "--json").stdout)
    assert [hit["id"] for hit in cheap["hits"]] == ["apart", "phrase"]
    assert {"value": "하늘", "assets": 2} in cheap["facets"]["brand"]
    assert "brand: " in here(*sorted_, *where).stdout
    typed = json.loads(here("suggest", "ㅅㅂ", *where, "--json").stdout)
    assert {"text": "신발", "assets": 2} in typed["completions"]
    assert "summer" in here("suggest", "summr", *where).stdout
    table = here("search", "summer", *where, "--explain", "--size", "1").stdout
    assert "words" in table
    assert "next page: --cursor" in table


def test_analyze_shows_terms_and_runs_cases(tmp_path: Path) -> None:
    shown = json.loads(here("analyze", "강아지를 ＳＡＬＥ", "--json").stdout)
    assert shown["normalised"] == "강아지를 sale"
    assert [term["text"] for term in shown["words"]] == ["강아지", "sale"]
    assert shown["words"][1]["source"] == "ＳＡＬＥ"
    assert "강아지" in here("analyze", "강아지를").stdout
    cases = tmp_path / "cases.jsonl"
    case = {"mode": "keyword", "query": "강아지", "text": "강아지를 위한", "match": True}
    cases.write_text(json.dumps(case))
    passed = here("analyze", "--cases", str(cases), "--json")
    assert (passed.returncode, json.loads(passed.stdout)["passed"]) == (0, 1)
    cases.write_text(json.dumps({**case, "match": False}))
    missed = here("analyze", "--cases", str(cases))
    assert missed.returncode == 1
    assert "must not match" in missed.stdout
    assert here("analyze").returncode == 2


def test_an_asset_is_explained_and_shown(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "source")
    where = ("--data-dir", str(tmp_path / "data"))
    here("ingest", str(manifest), *where)
    explained = json.loads(here("explain", "phrase", '"여름 신발"', *where, "--json").stdout)
    assert (explained["rank"], explained["hit"]["phrases"]) == (1, 1)
    table = here("explain", "red", "summer", "--parameter", "filter=brand:Sky", *where).stdout
    assert "excluded by the filter, or by an excluded or required word" in table
    assert "rank_constant = 60" in table
    shown = json.loads(here("show", "red", *where, "--json").stdout)
    assert [copy["asset"]["id"] for copy in shown["duplicates"]] == ["red-again"]
    assert [version["ordinal"] for version in shown["versions"]] == [shown["ordinal"]]
    assert "identical: red-again" in here("show", "red", *where).stdout
    missing = here("show", "none", *where)
    assert (missing.returncode, missing.stderr) == (1, "error: no asset has the id 'none'\n")
