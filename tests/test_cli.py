"""The command line as a user sees it: real processes, exit codes, one line of error."""

import json
import subprocess
import sys
from pathlib import Path


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hybrid_search.cli.main", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_ingest_search_and_status(tmp_path: Path) -> None:
    manifest = tmp_path / "ads.csv"
    manifest.write_text(
        "id,title,brand,tags\na,무료배송 이벤트,하늘,배송|무료\nb,Sale,Sky,\n", "utf-8"
    )
    where = ("--data-dir", str(tmp_path / "data"), "--json")
    report = json.loads(run("ingest", str(manifest), *where).stdout)
    assert report == {"indexed": 2, "unchanged": 0, "updated": 0, "skipped": []}
    found = json.loads(run("search", "무료 배송", "--mode", "text", *where).stdout)
    assert [hit["id"] for hit in found["hits"]] == ["a"]
    filtered = json.loads(run("search", "--filter", "brand:sky", *where).stdout)
    assert [hit["id"] for hit in filtered["hits"]] == ["b"]
    status = json.loads(run("status", *where).stdout)
    assert (status["assets"], status["lexical"]["documents"]) == (2, 2)
    assert "무료배송" in run("search", "배송", "--mode", "text", *where[:2]).stdout


def test_errors_are_one_line_and_a_code(tmp_path: Path) -> None:
    missing = run("search", "x", "--data-dir", str(tmp_path))
    assert (missing.returncode, missing.stdout) == (3, "")
    assert "hybrid-search ingest" in missing.stderr
    assert "Traceback" not in missing.stderr
    wrong = run("ingest", str(tmp_path / "nothing.xyz"), "--data-dir", str(tmp_path / "d"))
    assert wrong.returncode == 2
    assert "neither a folder nor a manifest" in wrong.stderr
