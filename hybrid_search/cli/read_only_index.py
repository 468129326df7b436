"""The index that a command works on."""

from __future__ import annotations

from hybrid_search.engine.factory import open_index
from hybrid_search.engine.index import Index
from hybrid_search.settings.settings import Settings


def open_to_read(settings: Settings) -> Index:
    """The index of the settings' data folder, while another process may write to it."""
    return open_index(settings.data_dir, read_only=True, settings=settings)


def open_to_write(settings: Settings) -> Index:
    """The same for writing; created where missing."""
    return open_index(settings.data_dir, settings=settings)
