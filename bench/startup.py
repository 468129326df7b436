"""CPU seconds that a command takes from a fresh process to its end.

User and system time of the child over several runs: on a busy machine the wall clock measures the
others, and CPU time still grows when they share its caches. Timings differ between machines, so
compare two versions on the same one, one after the other. A first run, which is not counted, reads
the files from the disk and writes the bytecode.

    python bench/startup.py                      over the demonstration ads, indexed first
    python bench/startup.py --data-dir data      over that index
    python bench/startup.py --imports 15         and the packages whose imports take longest
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

COMMANDS = {
    "--help": ("--help",),
    "status": ("status",),
    "text search, Latin": ("search", "summer sale", "--mode", "text"),
    "text search, Hangul": ("search", "여름 세일", "--mode", "text"),
    "hybrid search": ("search", "여름 세일"),
}
ENVIRONMENT = {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""An installed package has its bytecode; without it every import compiles."""
IMPORTED = re.compile(r"import time: +(\d+) \| +\d+ \| +([\w.]+)")


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        data = options.data_dir or demonstration(Path(scratch) / "data", options.module)
        rows: dict[str, dict[str, object]] = {}
        for name, words in COMMANDS.items():
            where = () if name == "--help" else ("--data-dir", str(data))
            command = ["-m", options.module, *words, *where]
            rows[name] = {
                "CPU s": [cpu_seconds(command) for _ in range(options.runs + 1)][1:],
                "imports": imports(command, options.imports) if options.imports else {},
            }
    print(json.dumps(rows)) if options.json else show(rows)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--imports", type=int, default=0, metavar="PACKAGES")
    parser.add_argument("--module", default="hybrid_search", help="what `python -m` runs")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def demonstration(folder: Path, module: str) -> Path:
    run(["-m", module, "demo", "--no-serve", "--json", "--data-dir", str(folder)])
    return folder


def cpu_seconds(command: list[str]) -> float:
    """User and system time of the process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def run(command: list[str]) -> str:
    """What it wrote to standard error."""
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def imports(command: list[str], count: int) -> dict[str, float]:
    """The packages whose modules take longest to import, in seconds without what they import."""
    packages = Counter[str]()
    for microseconds, module in IMPORTED.findall(run(["-X", "importtime", *command])):
        packages[module.split(".")[0]] += int(microseconds)
    return {name: cost / 1e6 for name, cost in packages.most_common(count)}


def show(rows: dict[str, dict[str, object]]) -> None:
    table = Table("command", "median", "least", "most")
    for name, row in rows.items():
        times = row["CPU s"]
        assert isinstance(times, list)
        cells = (median(times), min(times), max(times))
        table.add_row(name, *(f"{seconds:.2f}" for seconds in cells))
    console = Console()
    console.print(table)
    for name, row in rows.items():
        packages = row["imports"]
        assert isinstance(packages, dict)
        if packages:
            costs = ", ".join(f"{package} {cost:.2f}" for package, cost in packages.items())
            console.print(f"{name}: {costs}")


if __name__ == "__main__":
    main()
