"""A small index with files of every kind, and helpers to damage it."""

import json
from pathlib import Path

from PIL import Image

from hybrid_search.core import AssetId, Example, Query
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.ingest.manifests import read_assets
from hybrid_search.settings.settings import Settings, load_settings
from hybrid_search.stores.embedded.rebuild import calibrate

COLOURS = ("red", "blue", "green", "orange", "purple", "black", "white", "brown")
QUERIES = (
    Query("여름 신발"),
    Query('"여름 신발"'),
    Query("summer shoes"),
    Query("파란 그림"),
    Query(examples=(Example(id=AssetId("a3")),)),
    Query("", size=50),
)


SEALED_SOON = "[vector]\nfold_after = 4\n[storage]\nreserve_mb = 0\n"
"""Settings that build segments after a few assets, so that files of all kinds exist."""


def settings_of(folder: Path, text: str = SEALED_SOON) -> Settings:
    """Write settings into a data folder and return them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hybrid_search.toml").write_text(text)
    return load_settings(folder)


def rows(folder: Path, count: int, first: int = 0) -> Path:
    """Write a manifest of ``count`` assets, each with its own picture."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(first, first + count):
        colour = COLOURS[number % len(COLOURS)]
        Image.new("RGB", (40 + number % 1000, 40 + number // 1000), colour).save(
            folder / f"{number}.png"
        )
        title = f"여름 신발 {number}" if number % 2 else f"Summer shoes {number}"
        lines.append({"id": f"a{number}", "title": title, "image": f"{number}.png"})
    path = folder / f"{first}.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    return path


def filled(folder: Path, source: Path, count: int = 56, text: str = SEALED_SOON) -> Settings:
    """Build and close an index with ``count`` assets, one deleted and one replaced."""
    settings = settings_of(folder, text)
    with open_engine(settings, write=True) as engine:
        writer = engine.writer()
        writer.ingest(read_assets(rows(source, count), 1 << 20))
        writer.delete([AssetId("a1")])
        path = source / "replaced.jsonl"
        path.write_text(json.dumps({"id": "a2", "title": "겨울 장갑"}), "utf-8")
        writer.ingest(read_assets(path, 1 << 20))
    calibrate(settings)
    return settings


def answers(engine: Index) -> list[list[tuple[str, float]]]:
    """Return the hits of the queries with scores."""
    found = [engine.searcher.search(query) for query in QUERIES]
    return [[(hit.stored.asset.id, round(hit.score, 6)) for hit in part.hits] for part in found]


def flip(path: Path, place: int) -> None:
    """Change one byte of the file, counted from its start."""
    data = bytearray(path.read_bytes())
    data[place] ^= 0x01
    path.write_bytes(data)
