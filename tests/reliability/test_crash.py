"""A killed ingest loses no acknowledged asset and embeds nothing twice."""

import json
import subprocess
import sys
from pathlib import Path

CRASH = Path(__file__).parents[2] / "bench" / "crash.py"


def test_killed_at_random_moments() -> None:
    command = [sys.executable, str(CRASH), "--rounds", "2", "--steps", "12", "--json"]
    done = subprocess.run([*command, "--seed", "1"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["rounds"], report["embedded"] > 0) == (2, True)
    assert (report["lost"], report["unsearchable"], report["repeated"]) == (0, 0, 0)
