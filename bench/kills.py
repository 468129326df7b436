"""Kill a writer at random moments and check that no acknowledged write is lost.

A child process writes, replaces and deletes assets, merges and rebuilds its indexes, and logs each
intention and each acknowledgement. After the kill another child opens the folder normally and
compares: every acknowledged asset must be there with its exact text, picture and vector, in the
catalog and in both indexes, and no deleted one. The next round continues with the same folder.

    python bench/kills.py --rounds 200
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console

from hybrid_search.core import Asset, AssetId, Digest, Query, digest_of
from hybrid_search.core.errors import IndexLocked
from hybrid_search.embedding.loader import load_embedder
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.ingest.manifests import Row
from hybrid_search.settings.sections import (
    EmbeddingSection,
    IngestSection,
    LexicalSection,
    StorageSection,
    VectorSection,
)
from hybrid_search.settings.settings import Settings
from hybrid_search.stores.embedded.rebuild import rebuild, rebuild_vectors

IDS, ROUNDS_A_FOLDER = 300, 25
HANG_SECONDS = 300.0
"""A writer that logs nothing for so long hangs."""
Wanted = dict[str, tuple[str, Digest] | None]
"""Expected state by id: title and hash of the picture, or ``None`` if deleted."""


@dataclass
class Report:
    """Totals over all rounds."""

    rounds: int = 0
    acknowledged: int = 0
    lost: int = 0
    wrong: int = 0
    """Assets whose text, picture or vector differs from what was acknowledged."""
    ghosts: int = 0
    """Deleted or replaced assets that are still found."""
    failed_starts: int = 0
    rebuilds: int = 0
    repairs: list[str] = field(default_factory=list)
    slowest_start: float = 0.0


def main() -> None:
    options = arguments()
    chance, report = random.Random(options.seed), Report()
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(options.rounds):
            folder = Path(scratch) / f"data-{number // ROUNDS_A_FOLDER}"
            one_round(folder, chance, options.writes, report)
    print(json.dumps(asdict(report))) if options.json else Console().print(asdict(report))
    sys.exit(report.lost + report.wrong + report.ghosts + report.failed_starts > 0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--writes", type=int, default=25, help="writes before the latest kill")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def one_round(folder: Path, chance: random.Random, writes: int, report: Report) -> None:
    log, seed = folder.with_suffix(".log"), chance.randrange(1 << 30)
    child = forked(lambda: write_for_ever(folder, log, seed))
    # Each write logs two lines: its beginning and its end.
    wait_for_lines(log, lines_of(log) + chance.randint(0, 2 * writes), child)
    time.sleep(chance.uniform(0.0, 0.1))  # anywhere within the step that follows
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    found = folder.with_suffix(".found")
    checker = forked(lambda: found.write_text(json.dumps(checked(folder, log))))
    report.rounds += 1
    if os.waitpid(checker, 0)[1]:
        report.failed_starts += 1
        return
    told = json.loads(found.read_text())
    report.slowest_start = max(report.slowest_start, told.pop("start"))
    for name, value in told.items():
        setattr(report, name, getattr(report, name) + value)


def lines_of(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.exists() else 0


def wait_for_lines(log: Path, count: int, child: int) -> None:
    """Return once the child has logged so many lines. Raises ``RuntimeError`` if it never does."""
    deadline = time.monotonic() + HANG_SECONDS
    while lines_of(log) < count:
        if os.waitpid(child, os.WNOHANG)[0] or time.monotonic() > deadline:
            raise RuntimeError(f"the writer stopped after {lines_of(log)} lines; see its error")
        time.sleep(0.005)


def forked(work: Callable[[], object]) -> int:
    """Fork a process that does the work; modules are already imported, so it starts at once."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException as failure:  # noqa: BLE001  the parent reads the exit code
        print(f"{type(failure).__name__}: {failure}", file=sys.stderr)
        os._exit(1)
    os._exit(0)


def settings_of(folder: Path) -> Settings:
    return Settings(
        data_dir=folder,
        lexical=LexicalSection(analyzer="rules"),
        vector=VectorSection(fold_after=24, kind="hnsw", exact_below=0),
        ingest=IngestSection(batch_size=8, workers=1),
        storage=StorageSection(reserve_mb=0),
    )


# ------------------------------------------------------------------------------------ writing


def write_for_ever(folder: Path, log: Path, seed: int) -> None:
    chance, lines = random.Random(seed), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def say(what: str, changes: Wanted) -> None:
        os.write(lines, json.dumps({what: changes}).encode() + b"\n")

    with open_engine(settings_of(folder), write=True, maintenance="thread") as engine:
        while True:
            pictures = [picture(chance.randrange(1 << 30)) for _ in range(chance.randint(1, 12))]
            changes = {f"a{chance.randrange(IDS)}": change(chance, data) for data in pictures}
            say("begun", changes)
            write(engine, changes, {digest_of(data): data for data in pictures})
            say("done", changes)
            if chance.random() < 0.03:
                threading.Thread(target=rebuilt, args=(folder, chance.random() < 0.5, say)).start()


def change(chance: random.Random, picture: bytes) -> tuple[str, Digest] | None:
    """Return a random write: a deletion, or a title with a unique word and a picture."""
    if chance.random() < 0.2:
        return None
    return f"광고 w{chance.randrange(1 << 40):010x} sale", digest_of(picture)


def write(engine: Index, changes: Wanted, pictures: Mapping[Digest, bytes]) -> None:
    rows = [
        Row(Asset(AssetId(name), title=wanted[0]), partial(pictures.__getitem__, wanted[1]))
        for name, wanted in changes.items()
        if wanted is not None
    ]
    engine.writer().ingest(rows)
    engine.writer().delete([AssetId(name) for name, wanted in changes.items() if wanted is None])


def picture(seed: int) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
    Image.fromarray(pixels).resize((32, 32)).save(out, "PNG")
    return out.getvalue()


def rebuilt(folder: Path, only_vectors: bool, say: Callable[[str, Wanted], None]) -> None:
    try:
        (rebuild_vectors if only_vectors else rebuild)(settings_of(folder))
        say("rebuilt", {})
    except IndexLocked:
        return


# ----------------------------------------------------------------------------------- checking


def checked(folder: Path, log: Path) -> dict[str, Any]:
    """Open the folder normally and compare it with the acknowledged writes."""
    acknowledged, flying, counts = read_log(log)
    started = time.monotonic()
    with open_engine(settings_of(folder), write=True) as engine:
        told: dict[str, Any] = {"start": time.monotonic() - started, **counts}
        told |= {"lost": 0, "wrong": 0, "ghosts": sets_differ(engine)}
        told["repairs"] = list(engine.repairs)
        for name, wanted in acknowledged.items():
            if (state := state_of(engine, name)) in (wanted, flying.get(name, wanted)):
                told["wrong"] += state is not None and not is_found(engine, name, *state)
            elif state is None:
                told["lost"] += 1
            else:
                told["ghosts" if wanted is None else "wrong"] += 1
        settle(engine, log, {*acknowledged, *flying})
    return told


def read_log(log: Path) -> tuple[Wanted, Wanted, dict[str, int]]:
    """Return acknowledged writes, writes in progress at the end, and counts of each."""
    acknowledged: Wanted = {}
    flying: Wanted = {}
    counts = {"acknowledged": 0, "rebuilds": 0}
    for line in log.read_text().splitlines() if log.exists() else ():
        ((what, changes),) = json.loads(line).items()
        counts["rebuilds"] += what == "rebuilt"
        if what == "rebuilt":
            continue
        plain = {name: tuple(wanted) if wanted else None for name, wanted in changes.items()}
        flying = plain if what == "begun" else {}
        if what != "begun":
            acknowledged |= plain
        counts["acknowledged"] += len(plain) * (what == "done")
    return acknowledged, flying, counts


def settle(engine: Index, log: Path, names: set[str]) -> None:
    """Start the next round's log with the actual state: writes in progress may be stored or not."""
    known = {name: state_of(engine, name) for name in names}
    log.write_text(json.dumps({"known": known}) + "\n")


def state_of(engine: Index, name: str) -> tuple[str, Digest] | None:
    """Return title and picture hash in the catalog; ``None`` if the asset is deleted."""
    stored = engine.catalog.find(AssetId(name))
    if stored is None or stored.picture is None:
        return None
    return stored.asset.title, stored.picture.digest


def is_found(engine: Index, name: str, title: str, picture: str) -> bool:
    """Return whether word and vector find the asset, and its picture exists."""
    stored = engine.catalog.find(AssetId(name))
    assert stored is not None
    digest = Digest(picture)
    kept = engine.catalog.embeddings(engine.serving.model, [digest])[digest]
    indexed = engine.serving.store.picture_vectors.vector(stored.arrival)
    hits = engine.searcher.search(Query(title.split()[1], size=3)).hits
    return (
        digest_of(engine.shared.data.pictures.read(digest)) == picture
        and indexed is not None
        and np.array_equal(kept, indexed)
        and [hit.stored.asset.id for hit in hits if hit.stored.asset.title == title] == [name]
    )


def sets_differ(engine: Index) -> int:
    """Count versions that are only in an index or only in the catalog."""
    live, embedded = (
        engine.catalog.live_ordinals(),
        engine.catalog.vector_ordinals(engine.serving.model),
    )
    lexical, vectors = (
        engine.serving.store.lexical.snapshot().ordinals(),
        engine.serving.store.picture_vectors.ordinals(),
    )
    return len(np.setxor1d(live, lexical)) + len(np.setxor1d(embedded, vectors))


if __name__ == "__main__":
    load_embedder(EmbeddingSection())  # imports the model libraries once, for all children
    main()
