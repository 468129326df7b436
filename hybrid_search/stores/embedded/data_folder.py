"""A data folder: the catalog and pictures that its generations share, and which one serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hybrid_search.analysis.factory import make_analyzer
from hybrid_search.core.errors import IndexCorrupt, IndexMissing
from hybrid_search.core.ports import Embedder
from hybrid_search.embedding.loader import load_embedder
from hybrid_search.embedding.query_encoder import LazyEmbedder
from hybrid_search.embedding.text_encoder import TextEncoder
from hybrid_search.files.file_lock import exclusive_lock
from hybrid_search.files.quarantine import Repairs
from hybrid_search.files.versioned_dirs import Hold, VersionedDirs
from hybrid_search.images.decoder_pool import Decoders
from hybrid_search.images.store import FolderPictures
from hybrid_search.settings.sections import EmbeddingSection
from hybrid_search.settings.settings import Settings
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.lexical.index import TantivyIndex
from hybrid_search.stores.embedded.maintenance import MaintenanceMode
from hybrid_search.stores.embedded.manifest import (
    Manifest,
    forget_copy,
    mend_manifest,
    new_manifest,
    read_manifest,
    write_manifest,
)

CATALOG = "catalog.sqlite"
"""The catalog in a data folder."""
LEXICAL = "lexical"
"""The folder of the lexical index in that of a generation."""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """What all generations of a data folder share."""

    settings: Settings
    catalog: SqliteCatalog
    pictures: FolderPictures
    repairs: Repairs
    write: bool = False
    maintenance: MaintenanceMode = "inline"

    @property
    def checked(self) -> bool:
        """Whether files are compared with their hashes: not for a single search."""
        return self.settings.storage.verify_at_start and (
            self.write or self.maintenance == "thread"
        )


@dataclass(frozen=True, slots=True)
class Shared:
    """A data folder, and the decoders of its pictures."""

    data: DataFolder
    decoders: Decoders

    @property
    def settings(self) -> Settings:
        """The settings of the index."""
        return self.data.settings

    def embed_missing(
        self,
        embedder: Embedder,
        *,
        text: bool,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Give every live picture, and text if wanted, a vector of that model.

        ``progress(done, all)`` is called for the pictures, then for the text.
        """
        from hybrid_search.embedding.image_encoder import PictureEncoder

        catalog = self.data.catalog
        PictureEncoder(catalog, embedder, self.decoders).embed_missing(self.data.pictures, progress)
        if text:
            fields = self.settings.declared_fields()
            TextEncoder(catalog, embedder, fields).embed_missing(progress)


@contextmanager
def open_shared(
    settings: Settings, *, write: bool = False, maintenance: MaintenanceMode = "inline"
) -> Iterator[Shared]:
    """Open what all generations share; with ``write``, create it where missing and lock it.

    Raises ``IndexMissing`` without a catalog to read, ``IndexLocked`` while another process writes,
    and ``IndexCorrupt`` for a malformed catalog.
    """
    with ExitStack() as stack:
        if write:
            lock_writing(settings, stack)
        catalog = open_catalog(settings, write=write)
        stack.callback(catalog.close)
        workers, limits = settings.ingest.workers, settings.pictures.limits()
        decoders = Decoders(limits, workers, apart=maintenance == "thread")
        stack.callback(decoders.close)
        repairs = Repairs(settings.data_dir / "damaged")
        pictures = open_pictures(settings)
        data = DataFolder(settings, catalog, pictures, repairs, write, maintenance)
        _check_catalog(data)
        yield Shared(data, decoders)


def open_catalog(settings: Settings, *, write: bool) -> SqliteCatalog:
    """The catalog; with ``write``, created where missing."""
    return SqliteCatalog(settings.data_dir / CATALOG, read_only=not write)


def open_pictures(settings: Settings) -> FolderPictures:
    """The originals and their thumbnails."""
    return FolderPictures(settings.data_dir / "pictures", settings.pictures.limits())


def open_lexical(
    settings: Settings, folder: Path, *, write: bool, checked: bool = False
) -> TantivyIndex:
    """The lexical index of the generation in the folder; with ``write``, created where missing."""
    return TantivyIndex(
        folder / LEXICAL,
        make_analyzer(settings),
        fields=settings.declared_fields(),
        read_only=not write,
        checked=checked,
    )


def lock_writing(settings: Settings, stack: ExitStack) -> None:
    """Hold the writer's lock until the stack ends; raises ``IndexLocked`` while another does."""
    reason = f"writes to {settings.data_dir}; stop it, or write through its service"
    lock(settings.data_dir / "writer.lock", stack, reason)


def lock(path: Path, stack: ExitStack, does: str) -> None:
    """Hold the lock until the stack ends; raises ``IndexLocked`` while another process does."""
    stack.enter_context(exclusive_lock(path, f"another process {does}"))


def _check_catalog(data: DataFolder) -> None:
    if data.checked and (damage := data.catalog.health.malformed(quick=True)):
        raise IndexCorrupt(
            f"catalog: {data.settings.data_dir / CATALOG} is damaged, {damage[0]};"
            " run: hybrid-search verify"
        )


def serving_folder(data: DataFolder) -> tuple[Path, Hold]:
    """The folder of the serving generation, held; a writer creates the first one.

    A writer moves generations without a readable manifest away. Raises ``IndexMissing``.
    """
    settings = data.settings
    folders = VersionedDirs(settings.data_dir / "generations")
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


def _mended(folders: VersionedDirs, repairs: Repairs) -> tuple[Path, Hold] | None:
    """The newest generation with a readable manifest; others are moved away."""
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
    """The folder, with the manifest of an empty generation."""
    section = embedding_of(settings, None)
    model, analyzer = load_embedder(section).facts.key, make_analyzer(settings).fingerprint
    write_manifest(folder, new_manifest(analyzer, model, settings.declared_fields(), section))
    return folder


def embedding_of(settings: Settings, manifest: Manifest | None) -> EmbeddingSection:
    """The settings of the model: the index's own, unless the settings name one."""
    section = settings.embedding
    if "model" in section.model_fields_set or manifest is None or not manifest.embedding:
        return section
    return section.model_copy(update=dict(manifest.embedding))


def embedder_of(settings: Settings, folder: Path) -> LazyEmbedder:
    """The model of the generation in the folder; checked against its vectors when it is loaded."""
    manifest = read_manifest(folder)
    section = embedding_of(settings, manifest)
    embedder = LazyEmbedder(lambda: load_embedder(section), section.choice().name)
    embedder.expect(manifest.model)
    return embedder
