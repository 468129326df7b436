"""Without any network the package is sufficient."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hybrid_search.cli.demo import fixtures

COMMAND = [sys.executable, "-m", "hybrid_search.cli.main"]
PICTURES_ALONE = ["--weight", "lexical=0", "--weight", "copy_semantic=0", "--weight", "phrase=0"]


def run(*words: str, home: Path) -> str:
    """Run the command in a network namespace without routes; return its output."""
    done = subprocess.run(
        ["unshare", "--net", *COMMAND, *words, "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOME": str(home)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_dog(name: str) -> bool:
    return ("dog" in name or "poodle" in name) and "hotdog" not in name


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A third of the demonstration ads without text, indexed without the network."""
    probe = ["unshare", "--net", "true"]
    if shutil.which("unshare") is None or subprocess.run(probe, check=False).returncode:
        pytest.skip("no network namespace can be made here")
    folder = tmp_path_factory.mktemp("offline")
    shutil.copytree(fixtures() / "images", folder / "images")
    lines = (fixtures() / "assets.jsonl").read_text("utf-8").splitlines()
    rows = [{key: json.loads(line).get(key) for key in ("id", "image")} for line in lines]
    shown = [row for row in rows if row["image"]]
    some = [row for at, row in enumerate(shown) if at % 3 == 0 or is_dog(row["id"])]
    manifest = folder / "pictures.jsonl"
    manifest.write_text("\n".join(json.dumps(row) for row in some), "utf-8")
    run("ingest", str(manifest), "--data-dir", str(folder / "data"), home=folder)
    return folder / "data"


@pytest.mark.parametrize("query", ["귀여운 강아지", "puppy"])
def test_puppies_are_found_among_pictures_without_text(data: Path, query: str) -> None:
    answer = json.loads(run("search", query, "--data-dir", str(data), home=data.parent))
    first = [hit["id"] for hit in answer["hits"]]
    assert any(is_dog(name) for name in first)
