"""Load test of a service: searches with concurrent writes, below and above saturation.

A separate process sends searches over many connections in three phases: a few clients (below
saturation), far more clients than the service accepts (above), and the few again (after). A writer
adds and deletes assets throughout. Prints for each phase searches a second, latencies, responses by
status, and the memory of all processes of the service.

    python bench/load.py --data-dir DATA --queries QUERIES.jsonl --minutes 10 --workers 1
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from urllib.parse import urlencode

import httpx
import psutil
import uvloop
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

FEW = 8
"""Connections below saturation; they share the configured rate."""
MANY = 400
"""Connections above saturation: more than may run and wait together."""
WRITES_A_SECOND = 4
SHARES = {"below": 0.6, "above": 0.2, "after": 0.2}
"""Share of the time of each phase."""


@dataclass
class Part:
    """Measurements of one phase."""

    name: str
    clients: int
    rate: float
    """Target searches a second; 0 sends a search after each response."""
    began: float = field(default_factory=time.perf_counter)
    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    writes: Counter[int] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    """Connections that ended without a response."""
    ms: list[float] = field(default_factory=list)
    """Latencies of searches with status 200."""
    late: float = 0.0
    """Seconds from the start of the phase to the last response other than 200."""
    memory_mb: list[int] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        cuts = statistics.quantiles(self.ms, n=1000)
        return {
            "part": self.name,
            "clients": self.clients,
            "seconds": round(self.seconds, 1),
            "searches_a_second": round(len(self.ms) / self.seconds, 1),
            "ms_median": round(cuts[499], 1),
            "ms_p99": round(cuts[989], 1),
            "ms_p999": round(cuts[998], 1),
            "searches": dict(sorted(self.statuses.items())),
            "writes": dict(sorted(self.writes.items())),
            "broken": dict(self.broken),
            "last_refusal_after_s": round(self.late, 2),
            "memory_mb": [self.memory_mb[0], max(self.memory_mb), self.memory_mb[-1]],
        }


def main() -> None:
    options = arguments()
    queries = [json.loads(line).get("text") for line in options.queries.open(encoding="utf-8")]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(shutil.copytree(options.data_dir, Path(folder) / "data"))
        with service(data, options.workers) as (address, process):
            parts = uvloop.run(run(address, process, [q for q in queries if q], options))
    report = {"workers": options.workers, "cores": os.cpu_count(), "parts": parts}
    print(json.dumps(report, indent=2)) if options.json else show(report)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True, help="index to copy")
    parser.add_argument("--queries", type=Path, required=True, help="JSONL with a text a line")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rate", type=float, default=40.0, help="searches a second of the few")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


@contextmanager
def service(data: Path, workers: int) -> Iterator[tuple[str, psutil.Process]]:
    """Yield the address of a ready service, and its process."""
    command = [sys.executable, "-m", "hybrid_search.cli.main", "serve", "--port", "0", "--json"]
    command += ["--data-dir", str(data), "--workers", str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = json.loads(process.stdout.readline())["address"]
            wait_until_ready(address, 4 * workers)
            yield address, psutil.Process(process.pid)
        finally:
            process.terminate()


def wait_until_ready(address: str, times: int) -> None:
    """Wait until ``times`` new connections in succession report that it is ready."""
    ready = 0
    while ready < times:
        told = httpx.get(f"{address}readyz", timeout=60).status_code
        ready = ready + 1 if told == 200 else 0
        time.sleep(0.2)


async def run(
    address: str, process: psutil.Process, queries: list[str], options: argparse.Namespace
) -> list[dict[str, object]]:
    clients = {"below": FEW, "above": MANY, "after": FEW}
    shown = []
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("load", total=len(SHARES))
        for name, share in SHARES.items():
            part = Part(name, clients[name], 0.0 if name == "above" else options.rate)
            end = part.began + options.minutes * 60 * share
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(watch(part, process, end))
                tasks.create_task(load(part, address, queries, end))
            shown.append(part.as_json())
            progress.advance(task)
    return shown


async def load(part: Part, address: str, queries: list[str], end: float) -> None:
    async with httpx.AsyncClient(base_url=address, timeout=120) as client:
        url = client.base_url
        asking = [
            ask(Link(url.host, url.port or 80), part, random.sample(queries, len(queries)), end)
            for _ in range(part.clients)
        ]
        await asyncio.gather(*asking, write(client, part, end))
    part.seconds = time.perf_counter() - part.began


class Link:
    """A minimal client with one connection, so that the client is not the bottleneck."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._writer: asyncio.StreamWriter | None = None

    async def status(self, path: str) -> int:
        """Return the status of a response; raise ``OSError`` or ``EOFError`` if none came."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(*self._address)
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode("ascii"))
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length: ")[2].partition(b"\r")[0]
        await self._reader.readexactly(int(length))
        if b"connection: close" in head:
            self.close()
        return int(head[9:12])

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None


async def ask(link: Link, part: Part, queries: list[str], end: float) -> None:
    for query in cycle(queries):
        if (started := time.perf_counter()) > end:
            break
        try:
            status = await link.status(f"/v1/search?{urlencode({'q': query})}")
        except (OSError, EOFError) as failure:
            part.broken[type(failure).__name__] += 1
            link.close()
            continue
        now = time.perf_counter()
        part.statuses[status] += 1
        if status == 200:
            part.ms.append((now - started) * 1000)
        else:
            part.late = now - part.began
            # A refused client tries again, here sooner than Retry-After says.
            await asyncio.sleep(random.uniform(0.05, 0.2))
        if part.rate:
            due = started + random.uniform(0.5, 1.5) * part.clients / part.rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
    link.close()


async def write(client: httpx.AsyncClient, part: Part, end: float) -> None:
    number = 0
    while time.perf_counter() < end:
        number += 1
        name = f"/v1/assets/load-{number % 50}"
        if number % 5:
            title = {"title": f"여름 세일 load {number}"}
            answer = await client.put(name, json=title)
        else:
            answer = await client.delete(f"/v1/assets/load-{(number - 1) % 50}")
        part.writes[answer.status_code] += 1
        await asyncio.sleep(1 / WRITES_A_SECOND)


async def watch(part: Part, process: psutil.Process, end: float) -> None:
    while time.perf_counter() < end:
        family = [process, *process.children(recursive=True)]
        part.memory_mb.append(sum(p.memory_info().rss for p in family) >> 20)
        await asyncio.sleep(1)


def show(report: dict[str, object]) -> None:
    parts = report["parts"]
    assert isinstance(parts, list)
    table = Table(title="{workers} process(es), {cores} cores".format(**report))
    for name in parts[0]:
        table.add_column(name, justify="right")
    for part in parts:
        table.add_row(*map(str, part.values()))
    Console(width=200).print(table)


if __name__ == "__main__":
    main()
