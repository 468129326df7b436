"""One changed byte in a closed index, and its effect on search results."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from unittest.mock import Mock, patch

from hybrid_search.core.errors import SearchError
from hybrid_search.embedding.clip import ClipEmbedder
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.settings.settings import Settings, load_settings
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.verify import verify
from tests.reliability.damage import QUERIES, flip

SearchResult = list[tuple[str, float]]
Fate = Literal["repaired", "refused", "refused by a search", "told by verify", "unused", "WRONG"]
"""``unused`` is a byte in free space: verification finds nothing, and every result is right."""


def index_files(data: Path) -> list[Path]:
    """Return every non-empty file below the generations except locks."""
    found = sorted((data / "generations").rglob("*"))
    return [p for p in found if p.is_file() and p.suffix != ".lock" and p.stat().st_size]


def fate_of(data: Path, before: list[SearchResult], path: Path, place: int) -> Fate:
    """Return the outcome for a copy with this byte changed."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "data"
        shutil.copytree(data, copy)
        flip(copy / path.relative_to(data), place)
        return _fate(load_settings(copy), before)


def _fate(settings: Settings, before: list[SearchResult]) -> Fate:
    """Return the outcome of the first of two starts, if both give right results."""
    fates = [_start(settings, before) for _ in range(2)]
    if "WRONG" in fates or fates[1] == "repaired":
        return "WRONG"
    if fates[0] == "unused" and any(check.problems for check in verify(settings)):
        return "told by verify"
    return fates[0]


def _start(settings: Settings, before: list[SearchResult]) -> Fate:
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


def _answer(engine: Index, place: int) -> SearchResult | None:
    """Return the result; ``None`` if the search reports damage."""
    try:
        hits = engine.searcher.search(QUERIES[place]).hits
    except SearchError:
        return None
    return [(hit.stored.asset.id, round(hit.score, 6)) for hit in hits]


@contextmanager
def no_embedding() -> Iterator[Mock]:
    """Make embedding pictures and storing vectors fail; yield a counter of attempts."""
    failing = Mock(side_effect=AssertionError("something was embedded"))
    with (
        patch.object(ClipEmbedder, "pictures", failing),
        patch.object(ClipEmbedder, "pixels", failing),
        patch.object(SqliteCatalog, "store_embeddings", failing),
    ):
        yield failing
