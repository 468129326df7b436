"""One byte that changes in a closed index: what becomes of it, and of the answers."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from unittest.mock import Mock, patch

from hybrid_search.core.errors import SearchError
from hybrid_search.embedding.clip import ClipEmbedder
from hybrid_search.engine.engine import Engine
from hybrid_search.engine.factory import open_engine
from hybrid_search.settings.settings import Settings, load_settings
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.verify import verify
from tests.reliability.damage import QUERIES, flip

Answer = list[tuple[str, float]]
Fate = Literal["repaired", "refused", "refused by a search", "told by verify", "unused", "WRONG"]
"""``unused`` is a byte in free space: verification finds nothing and every answer is right."""


def index_files(data: Path) -> list[Path]:
    """Every file below the generations that holds anything, but for locks."""
    found = sorted((data / "generations").rglob("*"))
    return [p for p in found if p.is_file() and p.suffix != ".lock" and p.stat().st_size]


def fate_of(data: Path, before: list[Answer], path: Path, place: int) -> Fate:
    """What becomes of a copy in which that byte of the file is another one."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "data"
        shutil.copytree(data, copy)
        flip(copy / path.relative_to(data), place)
        return _fate(load_settings(copy), before)


def _fate(settings: Settings, before: list[Answer]) -> Fate:
    """Of two starts, one after the other: what the first says, if both answer rightly."""
    fates = [_start(settings, before) for _ in range(2)]
    if "WRONG" in fates or fates[1] == "repaired":
        return "WRONG"
    if fates[0] == "unused" and any(check.problems for check in verify(settings)):
        return "told by verify"
    return fates[0]


def _start(settings: Settings, before: list[Answer]) -> Fate:
    try:
        with open_engine(settings, write=True) as engine:
            found = [_answer(engine, place) for place in range(len(QUERIES))]
            if any(told not in (None, right) for told, right in zip(found, before, strict=True)):
                return "WRONG"
            if engine.repairs:
                return "repaired"
            return "refused by a search" if None in found else "unused"
    except SearchError:
        return "refused"


def _answer(engine: Engine, place: int) -> Answer | None:
    """``None`` where the search says that something is damaged."""
    try:
        hits = engine.searcher.search(QUERIES[place]).hits
    except SearchError:
        return None
    return [(hit.stored.asset.id, round(hit.score, 6)) for hit in hits]


@contextmanager
def no_embedding() -> Iterator[Mock]:
    """Embedding a picture fails, as does storing a vector; what it gives counts the attempts."""
    failing = Mock(side_effect=AssertionError("something was embedded"))
    with (
        patch.object(ClipEmbedder, "pictures", failing),
        patch.object(ClipEmbedder, "pixels", failing),
        patch.object(SqliteCatalog, "store_embeddings", failing),
    ):
        yield failing
