"""Snapshots of a data folder, with the files that the engine keeps beside the store."""

from __future__ import annotations

from pathlib import Path

from hybrid_search.engine.judgments import JUDGMENTS
from hybrid_search.settings.settings import Settings
from hybrid_search.stores.embedded.snapshot import Snapshot
from hybrid_search.stores.embedded.snapshot import snapshot as snapshot_store
from hybrid_search.stores.embedded.verify import Progress

_BESIDE = ("keys.json", JUDGMENTS)


def snapshot(
    settings: Settings, target: Path, *, link: bool = False, progress: Progress | None = None
) -> Snapshot:
    """Copy the data folder, with keys and judgments, to a new folder; see the store's function."""
    return snapshot_store(settings, target, beside=_BESIDE, link=link, progress=progress)
