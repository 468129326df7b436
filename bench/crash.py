"""Kill -9 at random moments of an ingest: nothing acknowledged is lost, nothing repeated.

A child process ingests small pictures, some of them twice, and logs the pixels of every picture
before it is embedded and every count that was acknowledged. It is killed at a random moment; then
the folder is opened, every acknowledged asset looked for in the catalog and counted in both
indexes, and the ingest started again, in a new folder once it is through. Exits with 1 for an
asset that was lost, or a picture embedded again that was not in the batch in flight.

    python bench/crash.py --rounds 50
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from photos import photo
from rich.console import Console

from hybrid_search.core import AssetId
from hybrid_search.engine.factory import open_engine
from hybrid_search.ingest.manifests import read_assets
from hybrid_search.ingest.pipeline import IngestReport
from hybrid_search.settings.sections import IngestSection
from hybrid_search.settings.settings import Settings

ASSETS, BATCH, WIDTH = 480, 16, 240
START_SECONDS = 120.0


@dataclass
class Report:
    """What all rounds found."""

    rounds: int = 0
    finished: int = 0
    """Rounds in which the ingest was through before it was killed."""
    acknowledged: int = 0
    lost: int = 0
    unsearchable: int = 0
    """Assets that the catalog has and an index has not."""
    embedded: int = 0
    in_flight: int = 0
    """Pictures embedded again that were in a batch in flight."""
    repeated: int = 0
    """Pictures embedded again that were not."""


@dataclass
class Life:
    """One data folder, from nothing until its ingest is through."""

    folder: Path
    settled: set[str] = field(default_factory=set)
    """Pictures whose batch was embedded before a kill."""
    flying: set[str] = field(default_factory=set)
    """Pictures of the batch that was begun last before a kill."""


def main() -> None:
    options = arguments()
    if options.child:
        ingest_logged(*map(Path, options.child))
        return
    with tempfile.TemporaryDirectory() as scratch:
        report = run(options.rounds, options.seconds, Path(scratch), random.Random(options.seed))
    print(json.dumps(asdict(report))) if options.json else Console().print(asdict(report))
    sys.exit(report.lost + report.unsearchable + report.repeated > 0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0, help="latest moment of a kill")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def run(rounds: int, seconds: float, scratch: Path, chance: random.Random) -> Report:
    manifest = write_assets(scratch)
    report, life = Report(), Life(scratch / "data-0")
    for number in range(rounds):
        log = scratch / f"log-{number}"
        done = killed(manifest, life.folder, log, chance.uniform(0, seconds))
        acknowledged, batches = read_log(log)
        report.rounds += 1
        report.finished += done
        report.acknowledged += acknowledged
        count_repeats(report, life, batches, done)
        check(report, life.folder, acknowledged)
        if done:
            life = Life(scratch / f"data-{number + 1}")
    return report


def write_assets(folder: Path) -> Path:
    """A manifest of pictures and copy; every eighth picture is that of the asset before."""
    rows = []
    for number in range(ASSETS):
        name = f"{number - 1 if number % 8 == 7 else number:04d}.jpg"
        if not (folder / name).exists():
            (folder / name).write_bytes(photo(number, WIDTH))
        rows.append({"id": f"a{number:04d}", "image": name, "title": f"광고 {number} sale"})
    path = folder / "assets.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


def killed(manifest: Path, data: Path, log: Path, seconds: float) -> bool:
    """Whether the ingest was through before it was killed, ``seconds`` after its start."""
    command = [sys.executable, __file__, "--child", str(manifest), str(data), str(log)]
    child = subprocess.Popen(command)
    deadline = time.monotonic() + START_SECONDS
    while not log.exists() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        return child.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
        child.wait()
        return False


def read_log(log: Path) -> tuple[int, list[set[str]]]:
    """How many rows were acknowledged, and the pictures of each batch that was begun."""
    acknowledged, batches = 0, []
    for line in log.read_text("ascii").splitlines():
        kind, *values = line.split()
        if kind == "acknowledged":
            acknowledged = int(values[0])
        elif kind == "embedding":
            batches.append(set(values))
    return acknowledged, batches


def count_repeats(report: Report, life: Life, batches: Sequence[set[str]], done: bool) -> None:
    for number, batch in enumerate(batches):
        report.embedded += len(batch)
        report.repeated += len(batch & life.settled)
        report.in_flight += len(batch & life.flying)
        if done or number + 1 < len(batches):
            life.settled |= batch
        else:
            life.flying = batch - life.settled


def check(report: Report, data: Path, acknowledged: int) -> None:
    """Count the acknowledged assets that are missing after a restart."""
    with open_engine(settings_in(data), write=True) as engine:
        ids = [AssetId(f"a{number:04d}") for number in range(acknowledged)]
        report.lost += sum(engine.catalog.find(asset_id) is None for asset_id in ids)
        live = engine.catalog.count()
        report.unsearchable += 2 * live - engine.lexical.count() - engine.vectors.count()


def settings_in(data: Path) -> Settings:
    return Settings(data_dir=data, ingest=IngestSection(batch_size=BATCH))


def ingest_logged(manifest: Path, data: Path, log: Path) -> None:
    """What the child does: ingest, and log what is embedded and acknowledged, at once."""
    from hybrid_search.embedding.clip import ClipEmbedder  # noqa: PLC0415

    embed: Any = ClipEmbedder.pixels

    def pixels(self: ClipEmbedder, batch: Any) -> Any:
        names = (hashlib.sha256(picture.tobytes()).hexdigest()[:16] for picture in batch)
        write(f"embedding {' '.join(names)}")
        return embed(self, batch)

    def acknowledge(report: IngestReport) -> None:
        write(f"acknowledged {report.total}")

    def write(line: str) -> None:
        os.write(descriptor, line.encode() + b"\n")

    ClipEmbedder.pixels = pixels  # type: ignore[method-assign]
    with open_engine(settings_in(data), write=True) as engine:
        engine.warm_up()
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        engine.writer().ingest(read_assets(manifest, 1 << 20), acknowledge)


if __name__ == "__main__":
    main()
