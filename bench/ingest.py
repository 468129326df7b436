"""Measure ingest speed end to end, beside a naive loop in the same run.

Synthetic JPEGs of 1200 and 3000 px (photos.py) with a line of text each. The naive loop opens each
picture with Pillow, applies open_clip's transform, encodes it alone in fp32 and stores it in the
catalog. It runs on a sample, half of it before and half after the engine. The engine runs as in
`hybrid-search ingest`, without the loading of model and dictionary.

CPU milliseconds a picture by stage: decoding is that of the decoding processes, reading and storing
that of their threads, encoding the rest. Weights are random except the embedded model's. Waiting
threads sleep in both variants. On a busy machine compare CPU times.

    python bench/ingest.py --models embedded:2000,ViT-B-32:2000,ViT-L-14:200
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import open_clip
import torch
from photos import write_photos
from PIL import Image
from rich.console import Console
from rich.table import Table

from hybrid_search.core import Asset, AssetId, PictureFacts, digest_of
from hybrid_search.core.model_choice import EMBEDDED, RANDOM
from hybrid_search.core.ports import Draft
from hybrid_search.embedding.model_folder import EMBEDDED_FOLDER
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.ingest.manifests import Row
from hybrid_search.settings.sections import EmbeddingSection, IngestSection
from hybrid_search.settings.settings import Settings
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog

WIDTHS = (1200, 3000)
STAGES = ("read", "decode", "encode", "store")
R = TypeVar("R")


def main() -> None:
    options = arguments()
    counts = dict(part.rpartition(":")[::2] for part in options.models.split(","))
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch) / "photos"
        paths = write_photos(folder, max(map(int, counts.values())), WIDTHS)
        rows = [measure(name, paths[: int(n)], options) for name, n in counts.items()]
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        show(rows)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--models",
        default="embedded:2000,ViT-B-32:2000,ViT-L-14:200",
        help="model names with the number of pictures",
    )
    parser.add_argument("--naive", type=int, default=80, help="pictures of the naive loop")
    parser.add_argument("--folder", type=Path, help="folder to keep the JPEGs for the next run")
    parser.add_argument("--workers", type=int, default=IngestSection().workers)
    parser.add_argument("--threads", type=int, default=EmbeddingSection().threads)
    parser.add_argument("--batch", type=int, default=EmbeddingSection().batch_size)
    parser.add_argument(
        "--without-copy", action="store_true", help="embed only pictures, as the naive loop does"
    )
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def measure(model: str, paths: Sequence[Path], options: argparse.Namespace) -> dict[str, Any]:
    """Return the speed of the engine, its stages and the naive loop, for one model."""
    half = options.naive // 2
    before = naive_seconds(model, paths[:half])
    report: dict[str, Any] = {
        "model": model,
        "pictures": len(paths),
        **engine_speed(model, paths, options),
    }
    after = naive_seconds(model, paths[half : 2 * half])
    wall, spent = map(statistics.mean, zip(before, after, strict=True))
    report["naive"] = {"per_second": round(1 / wall, 2), "cpu_ms": round(spent * 1e3, 1)}
    report["ratio"] = round(report["per_second"] * wall, 2)
    report["cpu_ratio"] = round(spent * 1e3 / sum(report["cpu_ms"].values()), 2)
    return report


def naive_seconds(model: str, paths: Sequence[Path]) -> tuple[float, float]:
    """Return wall and CPU seconds a picture for the naive loop."""
    name = f"local-dir:{EMBEDDED_FOLDER}" if model == EMBEDDED else model
    net, _, transform = open_clip.create_model_and_transforms(name)
    net.eval()
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SqliteCatalog(Path(folder) / "catalog.sqlite")) as catalog,
        torch.no_grad(),
    ):
        start, spent = time.monotonic(), time.process_time()
        for path in paths:
            picture = Image.open(path).convert("RGB")
            row = net.encode_image(transform(picture).unsqueeze(0))
            put_alone(catalog, path, picture, torch.nn.functional.normalize(row, dim=-1).numpy()[0])
        seconds = time.monotonic() - start, time.process_time() - spent
    return seconds[0] / len(paths), seconds[1] / len(paths)


def put_alone(catalog: SqliteCatalog, path: Path, picture: Image.Image, row: Any) -> None:
    data = path.read_bytes()
    digest = digest_of(data)
    facts = PictureFacts(digest, "JPEG", *picture.size, len(data), "#000000")
    catalog.put([Draft(Asset(AssetId(path.name), title=copy_for(path)), facts, digest)])
    catalog.store_embeddings("naive", {digest: row.astype(np.float32)})


def engine_speed(
    model: str, paths: Sequence[Path], options: argparse.Namespace
) -> dict[str, float | dict[str, float]]:
    """Return pictures a second and CPU milliseconds a picture of the engine's ingest."""
    pretrained = None if model == EMBEDDED else RANDOM
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder),
            embedding=EmbeddingSection(
                model=model,
                pretrained=pretrained,
                threads=options.threads,
                batch_size=options.batch,
                embed_copy=not options.without_copy,
            ),
            ingest=IngestSection(workers=options.workers),
        )
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        with open_engine(settings, write=True) as engine, stages(engine) as spent:
            engine.warm_up()
            whole = time.process_time()
            report = engine.writer().ingest(map(row_of, paths))
            spent["encode"] = time.process_time() - whole - sum(spent.values())
        spent["decode"] = cpu(resource.getrusage(resource.RUSAGE_CHILDREN)) - cpu(children)
    each = {name: round(seconds / len(paths) * 1e3, 2) for name, seconds in spent.items()}
    return {"per_second": round(report.pictures_per_second, 2), "cpu_ms": each}


@contextmanager
def stages(engine: Index) -> Iterator[dict[str, float]]:
    """Yield CPU seconds by stage, updated while the engine ingests."""
    spent = {"read": 0.0, "store": 0.0}
    indexer: Any = engine.writer()
    indexer._receive = timed(indexer._receive, spent, "read")
    indexer._store = timed(indexer._store, spent, "store")
    yield spent


def timed(work: Callable[..., R], spent: dict[str, float], stage: str) -> Callable[..., R]:
    def wrapped(*given: Any) -> R:
        start = time.thread_time()
        try:
            return work(*given)
        finally:
            spent[stage] += time.thread_time() - start

    return wrapped


def cpu(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def row_of(path: Path) -> Row:
    return Row(Asset(AssetId(path.name), title=copy_for(path)), path.read_bytes)


def copy_for(path: Path) -> str:
    return f"여름 신발 특가 {path.stem} summer shoes sale"


def show(rows: Sequence[dict[str, Any]]) -> None:
    table = Table("model", "pictures", "pictures/s", "naive", "ratio", "CPU ms", "naive", "ratio")
    for stage in STAGES:
        table.add_column(stage)
    for row in rows:
        naive, spent = row["naive"], row["cpu_ms"]
        cells = [row["model"], row["pictures"]]
        cells += [row["per_second"], naive["per_second"], row["ratio"]]
        cells += [round(sum(spent.values()), 1), naive["cpu_ms"], row["cpu_ratio"]]
        table.add_row(*map(str, cells), *(str(spent[stage]) for stage in STAGES))
    Console().print(table)


if __name__ == "__main__":
    main()
