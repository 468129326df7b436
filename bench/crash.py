"""Kill an ingest at random moments and check that no acknowledged asset is lost.

A child process ingests small pictures, some of them twice. It logs a hash of every picture before
it is embedded, and every acknowledged count. After the kill the folder is opened, every
acknowledged asset is looked up in the catalog and counted in both indexes, and the ingest starts
again, in a new folder once it has finished. Exits with 1 if an asset was lost, or if a picture was
embedded again that was not in the batch in progress.

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
HANG_SECONDS = 300.0
"""An ingest that logs nothing for so long hangs."""


@dataclass
class Report:
    """Totals over all rounds."""

    rounds: int = 0
    finished: int = 0
    """Rounds in which the ingest finished before it was killed."""
    acknowledged: int = 0
    lost: int = 0
    unsearchable: int = 0
    """Assets in the catalog that are missing from an index."""
    embedded: int = 0
    in_flight: int = 0
    """Pictures embedded again that were in the batch in progress."""
    repeated: int = 0
    """Pictures embedded again that were not in it."""


@dataclass
class Life:
    """One data folder, from empty until its ingest has finished."""

    folder: Path
    settled: set[str] = field(default_factory=set)
    """Pictures whose batch was complete before a kill."""
    flying: set[str] = field(default_factory=set)
    """Pictures of the batch in progress at the last kill."""


def main() -> None:
    options = arguments()
    if options.child:
        ingest_logged(*map(Path, options.child))
        return
    with tempfile.TemporaryDirectory() as scratch:
        report = run(options.rounds, options.steps, Path(scratch), random.Random(options.seed))
    print(json.dumps(asdict(report))) if options.json else Console().print(asdict(report))
    sys.exit(report.lost + report.unsearchable + report.repeated > 0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--steps", type=int, default=60, help="logged steps before the last kill")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def run(rounds: int, steps: int, scratch: Path, chance: random.Random) -> Report:
    manifest = write_assets(scratch)
    report, life = Report(), Life(scratch / "data-0")
    for number in range(rounds):
        log = scratch / f"log-{number}"
        pause = chance.uniform(0.0, 0.3)  # anywhere within the step that follows
        done = killed(manifest, life.folder, log, chance.randint(1, steps), pause)
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
    """Write a manifest; every eighth asset has the picture of the asset before it."""
    rows = []
    for number in range(ASSETS):
        name = f"{number - 1 if number % 8 == 7 else number:04d}.jpg"
        if not (folder / name).exists():
            (folder / name).write_bytes(photo(number, WIDTH))
        rows.append({"id": f"a{number:04d}", "image": name, "title": f"광고 {number} sale"})
    path = folder / "assets.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


def killed(manifest: Path, data: Path, log: Path, steps: int, pause: float) -> bool:
    """Kill an ingest ``pause`` seconds after its step ``steps``; return whether it had finished."""
    command = [sys.executable, __file__, "--child", str(manifest), str(data), str(log)]
    child = subprocess.Popen(command)
    deadline = time.monotonic() + HANG_SECONDS
    while lines_of(log) < steps and child.poll() is None:
        if time.monotonic() > deadline:
            child.kill()
            raise RuntimeError(f"the ingest stopped after {lines_of(log)} steps")
        time.sleep(0.01)
    try:
        return child.wait(pause) == 0
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
        child.wait()
        return False


def lines_of(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.exists() else 0


def read_log(log: Path) -> tuple[int, list[set[str]]]:
    """Return the number of acknowledged rows, and the pictures of each batch that was started."""
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
        report.unsearchable += (
            2 * live
            - engine.serving.store.lexical.snapshot().count()
            - engine.serving.store.picture_vectors.count()
        )


def settings_in(data: Path) -> Settings:
    return Settings(data_dir=data, ingest=IngestSection(batch_size=BATCH))


def ingest_logged(manifest: Path, data: Path, log: Path) -> None:
    """Ingest in the child process, and log embedded pictures and acknowledged counts."""
    from hybrid_search.embedding.clip import ClipEmbedder

    embed: Any = ClipEmbedder.pixels

    def pixels(self: ClipEmbedder, batch: Any) -> Any:
        names = (hashlib.sha256(picture.tobytes()).hexdigest()[:16] for picture in batch)
        write(f"embedding {' '.join(names)}")
        return embed(self, batch)

    def acknowledge(report: IngestReport) -> None:
        write(f"acknowledged {report.total}")

    def write(line: str) -> None:
        os.write(descriptor, line.encode() + b"\n")

    ClipEmbedder.pixels = pixels  # type: ignore[method-assign]  # it tells what it embeds
    with open_engine(settings_in(data), write=True) as engine:
        engine.warm_up()
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        engine.writer().ingest(read_assets(manifest, 1 << 20), acknowledge)


if __name__ == "__main__":
    main()
