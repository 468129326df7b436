"""The index that serves, as other settings would have it: built aside, gone when it was tried."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from hybrid_search.analysis.factory import make_analyzer
from hybrid_search.engine.generation import open_generation
from hybrid_search.engine.index import Index
from hybrid_search.search.searcher import Searcher
from hybrid_search.settings.settings import Settings, with_changes
from hybrid_search.stores.embedded.data_folder import LEXICAL, DataFolder, open_lexical
from hybrid_search.stores.embedded.manifest import read_manifest, write_manifest
from hybrid_search.stores.embedded.vector_indexes import (
    FOLDERS,
    configured_plan,
    open_vector_stores,
)
from hybrid_search.stores.local.log_replay import LexicalReplay

SEARCHED_BY = frozenset({"ef_search", "nprobe", "rerank", "exact_below", "min_recall"})
"""Settings of vectors that decide how an index is searched, not how it is built."""


@contextmanager
def open_variant(engine: Index, changed: Settings) -> Iterator[Searcher]:
    """A searcher over the same assets, whose index is as the changed settings say.

    What is built alike is taken over from the index that serves; nothing is embedded again. Model
    and texts in memory are shared. Raises ``InvalidConfig`` and what opening an index raises.
    """
    with tempfile.TemporaryDirectory(prefix="hybrid-search-") as scratch:
        folder = Path(scratch)
        data = replace(engine.shared.data, settings=changed, write=False, maintenance="inline")
        _build(engine, data, folder)
        shared = replace(engine.shared, data=data)
        opened = open_generation(
            shared, folder, engine.serving.embedder, encoder=engine.serving.encoder
        )
        with closing(opened) as made:
            yield made.searcher


def openings(
    engine: Index, changes: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> Callable[[str], AbstractContextManager[Searcher]]:
    """What opens the index of a name: one whose settings are changed so, or that which serves.

    Raises ``InvalidConfig`` for changes that cannot be.
    """
    changed = {name: with_changes(engine.settings, sections) for name, sections in changes.items()}

    def opening(name: str) -> AbstractContextManager[Searcher]:
        known = changed.get(name)
        return nullcontext(engine.searcher) if known is None else open_variant(engine, known)

    return opening


def _build(engine: Index, data: DataFolder, folder: Path) -> None:
    """Fill the folder of a generation, as far as it differs from that which serves."""
    settings, changed, served = engine.settings, data.settings, engine.serving.folder
    analyzer = make_analyzer(changed).fingerprint
    write_manifest(folder, replace(read_manifest(served), analyzer=analyzer))
    if (changed.lexical, changed.fields) == (settings.lexical, settings.fields):
        (folder / LEXICAL).symlink_to(served.absolute() / LEXICAL)
    else:
        with closing(open_lexical(changed, folder, write=True)) as lexical:
            LexicalReplay(data.catalog, lexical).catch_up()
    alike = _built_by(settings) == _built_by(changed)
    for name in FOLDERS.values():
        _link(served, folder, f"{name}-background")
        if alike:
            _link(served, folder, name)
    if not alike:
        # What finds little is to be measured, not refused.
        plan = replace(configured_plan(changed), min_recall=0.0)
        vectors = open_vector_stores(changed, folder, plan)
        for store in vectors.values():
            store.maintenance(data.catalog, engine.serving.embedder.texts).rebuild()


def _built_by(settings: Settings) -> dict[str, object]:
    return settings.vector.model_dump(exclude=set(SEARCHED_BY))


def _link(served: Path, folder: Path, name: str) -> None:
    if (served / name).exists():
        (folder / name).symlink_to(served.absolute() / name)
