"""Measure a search of the service: CPU of the server process, and latency at the client.

Starts the service over an index and sends the queries of a file in every kind of search, in
shuffled blocks, so that no kind profits from caches filled by another. A first pass caches the
query vectors, so encoding is not included.

    python bench/serving.py --data-dir DATA --queries QUERIES.jsonl
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from rich.console import Console
from rich.table import Table

KINDS: dict[str, dict[str, str]] = {
    "hybrid": {},
    "hybrid, explained": {"explain": "true"},
    "hybrid, filtered": {"filter": "has_picture:true"},
    "hybrid, phrase": {},
    "text": {"mode": "text"},
    "vector": {"mode": "vector"},
}
BLOCK = 100
"""Requests between two readings of the process's CPU clock, which has a resolution of 10 ms."""


@dataclass
class Sample:
    """Measurements of one kind of search."""

    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    """Mean CPU time of each block."""


def main() -> None:
    options = arguments()
    queries = read_queries(options.queries)
    with service(options.data_dir) as (client, process):
        for kind in KINDS:
            ask_all(client, kind, queries)
        samples = measure(client, process, queries, options.blocks, random.Random(options.seed))
        assets = client.get("/v1/status").json()["assets"]
    rows = [row(kind, sample, samples["hybrid"]) for kind, sample in samples.items()]
    report = {"assets": assets, "queries": len(queries), "cores": os.cpu_count(), "kinds": rows}
    print(json.dumps(report, indent=2)) if options.json else show(report)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True, help="an index")
    parser.add_argument("--queries", type=Path, required=True, help="JSONL with a text a line")
    parser.add_argument("--blocks", type=int, default=12, help="blocks of 100 requests a kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def read_queries(path: Path) -> list[str]:
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [line["text"].replace('"', "") for line in lines if line.get("text")]


@contextmanager
def service(data_dir: Path) -> Iterator[tuple[httpx.Client, psutil.Process]]:
    """Yield a client of a ready service, and the service's process."""
    command = [sys.executable, "-m", "hybrid_search.cli.main", "serve", "--port", "0"]
    command += ["--data-dir", str(data_dir), "--json", "--read-only"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = json.loads(process.stdout.readline())["address"]
            with httpx.Client(base_url=address, timeout=60) as client:
                while client.get("/readyz").status_code != 200:
                    time.sleep(0.1)
                yield client, psutil.Process(process.pid)
        finally:
            process.terminate()


def ask_all(client: httpx.Client, kind: str, queries: list[str]) -> list[float]:
    return [ask(client, kind, query) for query in queries]


def ask(client: httpx.Client, kind: str, query: str) -> float:
    """Send a search; return the milliseconds to the complete response."""
    text = f'"{query}"' if kind == "hybrid, phrase" else query
    started = time.perf_counter()
    answer = client.get("/v1/search", params={"q": text, **KINDS[kind]})
    took = (time.perf_counter() - started) * 1000
    assert answer.status_code == 200, answer.text
    return took


def measure(
    client: httpx.Client,
    process: psutil.Process,
    queries: list[str],
    blocks: int,
    chance: random.Random,
) -> dict[str, Sample]:
    samples = {kind: Sample() for kind in KINDS}
    order = [kind for kind in KINDS for _ in range(blocks)]
    chance.shuffle(order)
    for kind in order:
        before = busy(process)
        samples[kind].wall_ms += ask_all(client, kind, chance.choices(queries, k=BLOCK))
        samples[kind].cpu_ms.append((busy(process) - before) / BLOCK)
    return samples


def busy(process: psutil.Process) -> float:
    """Return the CPU milliseconds of the process, all threads included."""
    times = process.cpu_times()
    return float(times.user + times.system) * 1000


def row(kind: str, sample: Sample, against: Sample) -> dict[str, float | str]:
    walls = statistics.quantiles(sample.wall_ms, n=100)
    cpu = statistics.median(sample.cpu_ms)
    return {
        "kind": kind,
        "requests": len(sample.wall_ms),
        "cpu_ms": round(cpu, 3),
        "cpu_ratio": round(cpu / statistics.median(against.cpu_ms), 2),
        "wall_ms_median": round(walls[49], 3),
        "wall_ms_p95": round(walls[94], 3),
        "wall_ms_p99": round(walls[98], 3),
    }


def show(report: dict[str, object]) -> None:
    title = "{assets:,} assets, {queries} queries, {cores} cores".format(**report)
    rows = report["kinds"]
    assert isinstance(rows, list)
    table = Table(title=title, box=None)
    for name in rows[0]:
        table.add_column(name, justify="left" if name == "kind" else "right")
    for values in rows:
        table.add_row(*(str(value) for value in values.values()))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
