"""How long a start takes by the number of ads, and what it answers until it is ready.

Makes ads without pictures, their copy embedded; ends the writer by kill -9 in the middle of its
work, so that the start has to reconcile; then times a service until `/readyz` says 200, and notes
what it said before.

    python bench/starts.py --sizes 1000 10000
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

COMMAND = [sys.executable, "-m", "hybrid_search.cli.main"]
KOREAN = ("여름", "세일", "신발", "가방", "커피", "봄", "카메라")
ENGLISH = ("summer", "sale", "shoes", "bag", "coffee", "spring", "camera")
TAIL = 2_000
"""Ads that come in while the writer is ended."""


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as name:
        rows = [measure(Path(name) / str(size), size) for size in options.sizes]
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def measure(folder: Path, size: int) -> dict[str, object]:
    data = folder / "data"
    ingest(data, manifest(folder, 0, size))
    killed_ingest(data, manifest(folder, size, TAIL))
    began, before = time.perf_counter(), Counter[int]()
    command = [*COMMAND, "serve", "--data-dir", str(data), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())["address"]
        listening = time.perf_counter() - began
        while (told := httpx.get(f"{address}readyz").status_code) != 200:
            before[told] += 1
            time.sleep(0.02)
        ready = time.perf_counter() - began
        assets = httpx.get(f"{address}v1/status").json()["assets"]
        process.terminate()
    return {
        "ads": assets,
        "listening_s": round(listening, 2),
        "ready_s": round(ready, 2),
        "answers_before": dict(before),
    }


def manifest(folder: Path, first: int, count: int) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{first}.jsonl"
    lines = [
        {"id": f"a{n}", "title": f"{KOREAN[n % 7]} {ENGLISH[n // 7 % 7]} {n}"}
        for n in range(first, first + count)
    ]
    path.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    return path


def ingest(data: Path, path: Path) -> None:
    command = [*COMMAND, "ingest", str(path), "--data-dir", str(data), "--json"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def killed_ingest(data: Path, path: Path) -> None:
    """Ingest until some of it is stored, and end it there."""
    command = [*COMMAND, "ingest", str(path), "--data-dir", str(data), "--json"]
    wal, size = data / "catalog.sqlite-wal", 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and size < 200_000:
            size = wal.stat().st_size if wal.exists() else 0
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
