"""Killed writes, merges and rebuilds lose nothing acknowledged."""

import json
import subprocess
import sys
from pathlib import Path

from tests.rounds import rounds

KILLS = Path(__file__).parents[2] / "bench" / "kills.py"
ROUNDS = rounds(4, 8)


def test_kills_during_writes_merges_and_rebuilds() -> None:
    command = [sys.executable, str(KILLS), "--rounds", str(ROUNDS), "--writes", "20", "--json"]
    done = subprocess.run([*command, "--seed", "5"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["rounds"] == ROUNDS
    assert report["acknowledged"] > 0
    assert (report["lost"], report["wrong"], report["ghosts"]) == (0, 0, 0)
    assert report["failed_starts"] == 0
