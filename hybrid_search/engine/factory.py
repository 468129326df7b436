"""An address or settings in, an opened index out."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid_search.core.errors import IndexLocked, IndexMissing, InvalidConfig
from hybrid_search.engine.generation import Generation, open_generation
from hybrid_search.engine.index import Index
from hybrid_search.files.atomic_files import check_room
from hybrid_search.settings.settings import Settings, load_settings
from hybrid_search.stores.embedded.data_folder import CATALOG, Shared, open_shared, serving_folder
from hybrid_search.stores.embedded.maintenance import MaintenanceMode

if TYPE_CHECKING:
    from hybrid_search.ingest.pipeline import Indexer


def open_index(
    address: str | Path,
    *,
    read_only: bool = False,
    create: bool = True,
    settings: Settings | None = None,
) -> Index:
    """The index at that address, which is a folder on this machine.

    It is created where missing, unless ``read_only`` or ``create`` is false. ``settings`` take the
    place of those in the folder's ``hybrid_search.toml`` and the environment.

    Raises ``IndexMissing`` without an index to open, ``IndexLocked`` when another process writes to
    it (open it with ``read_only=True``), ``IndexMismatch`` when analyzer or model are not those of
    the index, and ``InvalidConfig`` for an address or settings that are not valid.
    """
    folder = folder_of(address)
    found = load_settings(folder) if settings is None else settings
    found = found.model_copy(update={"data_dir": folder})
    if not create and not (folder / CATALOG).is_file():
        raise IndexMissing(f"no index in {folder}; open it with create=True to make one")
    try:
        return open_engine(found, write=not read_only)
    except IndexLocked as failure:
        raise IndexLocked(f"{failure}; or open it with read_only=True") from None


def folder_of(address: str | Path) -> Path:
    """The data folder at that address; raises ``InvalidConfig`` for any other kind of address."""
    scheme, separator, _ = str(address).partition("://")
    if separator:
        raise InvalidConfig(
            f"address = {str(address)!r}: {scheme}:// is not supported; give a folder"
        )
    return Path(address)


def open_engine(
    settings: Settings, *, write: bool = False, maintenance: MaintenanceMode = "inline"
) -> Index:
    """The index in the settings' data folder; with ``write``, created where missing.

    With ``maintenance="thread"``, for a service, a thread maintains a writer's vector indexes, and
    the index switches to generations that other processes publish. Pictures are decoded in
    processes of their own.

    Raises ``IndexMissing`` without anything to read, ``IndexLocked`` when another process
    writes, ``IndexMismatch`` when analyser or model are not those of the index.
    """
    with ExitStack() as stack:
        shared = stack.enter_context(open_shared(settings, write=write, maintenance=maintenance))
        folder, hold = serving_folder(shared.data)
        generation = open_generation(shared, folder, hold=hold)
        indexer = _indexer(shared, generation, stack) if write else None
        engine = Index(shared, generation, indexer, stack.pop_all())
    if maintenance == "thread":
        engine.follow()
    return engine


def _indexer(shared: Shared, generation: Generation, stack: ExitStack) -> Indexer:
    settings = shared.settings
    from hybrid_search.ingest.pipeline import Indexer

    indexer = Indexer(
        pictures=shared.data.pictures,
        target=generation.target(shared),
        fields=settings.declared_fields(),
        batch_size=settings.ingest.batch_size,
        room=lambda: check_room(settings.data_dir, settings.storage.reserve_mb),
    )
    stack.callback(indexer.close)
    return indexer
