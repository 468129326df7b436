"""Measure the start of a service by index size: to its first response, and until it is ready.

Assets and vectors are synthetic, without picture files; nothing is embedded. Each size is started
after a clean close and after a simulated crash: the files of the lexical index are lost, and
the last tenth of the assets, at most 500, is in the catalog only. `/readyz` is polled; the last
column has its responses before the service is ready.

    python bench/starts.py --assets 1000 --assets 10000 --assets 50000
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from hybrid_search.core import Asset, AssetId, PictureFacts, digest_of
from hybrid_search.core.ports import Draft
from hybrid_search.embedding.loader import load_embedder
from hybrid_search.embedding.text_encoder import text_model_key
from hybrid_search.settings.settings import Settings, load_settings
from hybrid_search.stores.embedded.data_folder import open_catalog
from hybrid_search.stores.embedded.rebuild import rebuild

STEP = 500
WORDS = ("여름", "신발", "겨울", "장갑", "특가", "summer", "winter", "shoes", "sale", "red", "blue")


def main() -> None:
    options = arguments()
    logging.disable()
    rows = [row for count in options.assets or [1000, 10_000, 50_000] for row in measured(count)]
    print(json.dumps(rows)) if options.json else show(rows)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=int, action="append")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def measured(count: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as scratch:
        settings, late = load_settings(Path(scratch) / "data"), min(STEP, count // 10)
        chance = np.random.default_rng(count)
        store(settings, range(count - late), chance)
        rebuild(settings)
        closed = {"ads": count - late, "left by": "closing", **started(settings.data_dir)}
        store(settings, range(count - late, count), chance)
        for path in settings.data_dir.glob("generations/*/lexical/closed.json"):
            path.unlink()
        crashed = {"ads": count, "left by": "a crash", **started(settings.data_dir)}
    return [closed, crashed]


def store(settings: Settings, numbers: range, chance: np.random.Generator) -> None:
    """Store assets and their vectors in the catalog, but in no index."""
    embedder, fields = load_embedder(settings.embedding), settings.declared_fields()
    keys = embedder.facts.key, text_model_key(embedder.facts.key, fields)
    with closing(open_catalog(settings, write=True)) as catalog:
        for start in range(numbers.start, numbers.stop, STEP):
            drafts = [
                draft(number, chance) for number in range(start, min(start + STEP, numbers.stop))
            ]
            pictures = [part.picture.digest for part in drafts if part.picture is not None]
            for key, digests in zip(
                keys, (pictures, [part.content for part in drafts]), strict=True
            ):
                rows = chance.normal(size=(len(digests), embedder.facts.dimension))
                units = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
                catalog.store_embeddings(key, dict(zip(digests, units, strict=True)))
            catalog.put(drafts)


def draft(number: int, chance: np.random.Generator) -> Draft:
    title = f"{' '.join(chance.choice(WORDS, 8))} w{number}"
    digest, content = digest_of(f"picture {number}".encode()), digest_of(title.encode())
    facts = PictureFacts(digest, "JPEG", 800, 600, 90_000, "#aabbcc")
    return Draft(Asset(AssetId(f"a{number}"), title=title), facts, content)


def started(data: Path) -> dict[str, Any]:
    """Start a service over the folder; return its times and the responses meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["serve", "--data-dir", str(data), "--port", str(port), "--json"]
    command = [sys.executable, "-m", "hybrid_search.cli.main", *words]
    size = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            told = answers(f"http://127.0.0.1:{port}", process, began)
        finally:
            process.send_signal(signal.SIGTERM)
    return {"MB": size >> 20, **told}


def answers(address: str, process: subprocess.Popen[bytes], began: float) -> dict[str, Any]:
    said, first, opened = Counter[str](), 0.0, 0.0
    while True:
        assert process.poll() is None, "the service ended"
        try:
            answer = httpx.get(f"{address}/readyz", timeout=60)
        except httpx.TransportError:
            time.sleep(0.01)
            continue
        since = round(time.monotonic() - began, 2)
        first = first or since
        if answer.status_code == 200:
            return {"first answer": first, "opened": opened or since, "ready": since, **told(said)}
        said[f"{answer.status_code} {answer.json()['detail']}"] += 1
        opened = opened or (since if "opened" not in answer.json()["detail"] else 0.0)
        time.sleep(0.01)


def told(said: Counter[str]) -> dict[str, str]:
    return {"before": "; ".join(f"{count} × {what}" for what, count in said.items())}


def show(rows: list[dict[str, Any]]) -> None:
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console(width=200).print(table)


if __name__ == "__main__":
    main()
