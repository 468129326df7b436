"""A killed ingest loses no acknowledged asset and embeds nothing twice."""

import json
import subprocess
import sys
from pathlib import Path

from tests.rounds import rounds

CRASH = Path(__file__).parents[2] / "bench" / "crash.py"
ROUNDS = rounds(1, 4)


def test_killed_at_random_moments() -> None:
    command = [sys.executable, str(CRASH), "--rounds", str(ROUNDS), "--steps", "12", "--json"]
    done = subprocess.run([*command, "--seed", "1"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["rounds"], report["embedded"] > 0) == (ROUNDS, True)
    assert (report["lost"], report["unsearchable"], report["repeated"]) == (0, 0, 0)
