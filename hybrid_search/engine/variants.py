"""Temporary variants of the serving index, built with other settings for experiments."""

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

SEARCH_TIME = frozenset({"ef_search", "nprobe", "rerank", "exact_below", "min_recall"})
"""Settings of ``[vector]`` that apply when searching; changing them needs no other index."""


@contextmanager
def open_variant(index: Index, changed: Settings) -> Iterator[Searcher]:
    """A searcher over the same assets in a variant with the changed settings.

    Parts with equal build settings are linked from the serving index. Nothing is embedded again;
    the model and the cache of encoded texts are shared. Raises ``InvalidConfig`` and what opening
    an index raises.
    """
    with tempfile.TemporaryDirectory(prefix="hybrid-search-") as scratch:
        folder = Path(scratch)
        data = replace(index.shared.data, settings=changed, write=False, maintenance="inline")
        _build(index, data, folder)
        shared = replace(index.shared, data=data)
        opened = open_generation(
            shared, folder, index.serving.embedder, encoder=index.serving.encoder
        )
        with closing(opened) as variant:
            yield variant.searcher


def openings(
    index: Index, changes: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> Callable[[str], AbstractContextManager[Searcher]]:
    """A function that opens the variant with that name, or the serving index for other names.

    ``changes`` are settings by variant and section. Raises ``InvalidConfig`` for invalid ones.
    """
    changed = {name: with_changes(index.settings, sections) for name, sections in changes.items()}

    def opening(name: str) -> AbstractContextManager[Searcher]:
        settings = changed.get(name)
        return nullcontext(index.searcher) if settings is None else open_variant(index, settings)

    return opening


def _build(index: Index, data: DataFolder, folder: Path) -> None:
    """Fill the variant's folder: build what differs, link the rest."""
    settings, changed, serving = index.settings, data.settings, index.serving.folder
    analyzer = make_analyzer(changed).fingerprint
    write_manifest(folder, replace(read_manifest(serving), analyzer=analyzer))
    if (changed.lexical, changed.fields) == (settings.lexical, settings.fields):
        (folder / LEXICAL).symlink_to(serving.absolute() / LEXICAL)
    else:
        with closing(open_lexical(changed, folder, write=True)) as lexical:
            LexicalReplay(data.catalog, lexical).catch_up()
    same_build = _build_settings(settings) == _build_settings(changed)
    for name in FOLDERS.values():
        _link(serving, folder, f"{name}-background")
        if same_build:
            _link(serving, folder, name)
    if not same_build:
        # A variant with low recall is to be measured, not refused.
        plan = replace(configured_plan(changed), min_recall=0.0)
        vectors = open_vector_stores(changed, folder, plan)
        for store in vectors.values():
            store.maintenance(data.catalog, index.serving.embedder.texts).rebuild()


def _build_settings(settings: Settings) -> dict[str, object]:
    return settings.vector.model_dump(exclude=set(SEARCH_TIME))


def _link(serving: Path, folder: Path, name: str) -> None:
    if (serving / name).exists():
        (folder / name).symlink_to(serving.absolute() / name)
