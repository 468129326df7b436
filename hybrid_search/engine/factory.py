"""An address or settings in, an opened index out."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from hybrid_search.core.errors import (
    IndexCorrupt,
    IndexLocked,
    IndexMissing,
    InvalidConfig,
)
from hybrid_search.engine.generation import Generation, Shared, open_generation
from hybrid_search.engine.index import Index
from hybrid_search.engine.parts import (
    CATALOG,
    embedding_of,
    load_embedder,
    make_analyzer,
    open_catalog,
    open_pictures,
)
from hybrid_search.files.atomic_files import check_room
from hybrid_search.files.file_lock import alone
from hybrid_search.files.quarantine import Repairs
from hybrid_search.files.versioned_dirs import GenerationFolders, Hold
from hybrid_search.images.decoder_pool import Decoders
from hybrid_search.ingest.pipeline import Indexer
from hybrid_search.settings.settings import Settings, load_settings
from hybrid_search.stores.embedded.maintenance import MaintenanceMode
from hybrid_search.stores.embedded.manifest import (
    forget_copy,
    mend_manifest,
    new_manifest,
    read_manifest,
    write_manifest,
)
from hybrid_search.stores.embedded.store import DataFolder


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
    folder = _folder_of(address)
    found = load_settings(folder) if settings is None else settings
    found = found.model_copy(update={"data_dir": folder})
    if not create and not (folder / CATALOG).is_file():
        raise IndexMissing(f"no index in {folder}; open it with create=True to make one")
    try:
        return open_engine(found, write=not read_only)
    except IndexLocked as failure:
        raise IndexLocked(f"{failure}; or open it with read_only=True") from None


def _folder_of(address: str | Path) -> Path:
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
        if write:
            lock_writing(settings, stack)
        catalog = open_catalog(settings, write=write)
        stack.callback(catalog.close)
        workers, limits = settings.ingest.workers, settings.pictures.limits()
        decoders = Decoders(limits, workers, apart=maintenance == "thread")
        stack.callback(decoders.close)
        pictures = open_pictures(settings)
        repairs = Repairs(settings.data_dir / "damaged")
        data = DataFolder(settings, catalog, pictures, repairs, write, maintenance)
        shared = Shared(data, decoders)
        _check_catalog(data)
        folder, hold = _serving_folder(data)
        generation = open_generation(shared, folder, hold=hold)
        indexer = _indexer(shared, generation, stack) if write else None
        engine = Index(shared, generation, indexer, stack.pop_all())
    if maintenance == "thread":
        engine.follow()
    return engine


def lock_writing(settings: Settings, stack: ExitStack) -> None:
    """Be the one who writes until the stack ends; raises ``IndexLocked`` while another is."""
    reason = f"writes to {settings.data_dir}; stop it, or write through its service"
    lock(settings.data_dir / "writer.lock", stack, reason)


def lock(path: Path, stack: ExitStack, does: str) -> None:
    """Hold the lock until the stack ends; raises ``IndexLocked`` while another process has it."""
    stack.enter_context(alone(path, f"another process {does}"))


def _indexer(shared: Shared, generation: Generation, stack: ExitStack) -> Indexer:
    settings = shared.settings
    indexer = Indexer(
        pictures=shared.data.pictures,
        target=generation.target(shared),
        fields=settings.declared_fields(),
        batch_size=settings.ingest.batch_size,
        room=lambda: check_room(settings.data_dir, settings.storage.reserve_mb),
    )
    stack.callback(indexer.close)
    return indexer


def _check_catalog(data: DataFolder) -> None:
    """Raise ``IndexCorrupt`` for a catalog whose pages make no sense."""
    if data.checked and (damage := data.catalog.health.malformed(quick=True)):
        raise IndexCorrupt(
            f"catalog: {data.settings.data_dir / 'catalog.sqlite'} is damaged, {damage[0]};"
            " run: hybrid-search verify"
        )


def _serving_folder(data: DataFolder) -> tuple[Path, Hold]:
    """The folder of the generation that serves; who writes makes the first one."""
    settings = data.settings
    folders = GenerationFolders(settings.data_dir / "generations")
    held = _mended(folders, data.repairs) if data.write else folders.hold()
    if held is None:
        if not data.write:
            raise IndexMissing(f"no index in {settings.data_dir}; run: hybrid-search ingest PATH")
        folders.publish(_first(settings, folders.begin()))
        held = folders.hold()
    if held is None:
        raise IndexMissing(f"the index in {settings.data_dir} was removed while it was opened")
    if data.write and not settings.embedding.embed_copy:
        forget_copy(held[0])
    return held


def _mended(folders: GenerationFolders, repairs: Repairs) -> tuple[Path, Hold] | None:
    """The newest generation with a manifest; those whose manifest is lost are set aside."""
    repairs.note(folders.mend())
    while (held := folders.hold()) is not None:
        try:
            read_manifest(held[0])
        except IndexCorrupt as failure:
            held[1].release()
            repairs.note(f"{failure}; set aside")
            folders.set_aside(repairs)
        else:
            repairs.note(mend_manifest(held[0]))
            return held
    return None


def _first(settings: Settings, folder: Path) -> Path:
    """The folder, as a generation that nothing is in yet."""
    section = embedding_of(settings, None)
    model, analyzer = load_embedder(section).facts.key, make_analyzer(settings).fingerprint
    write_manifest(folder, new_manifest(analyzer, model, settings.declared_fields(), section))
    return folder
