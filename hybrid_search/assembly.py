"""Settings in, a running engine out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from hybrid_search.adapters.faiss_index import FaissIndex
from hybrid_search.adapters.folder_pictures import FolderPictures
from hybrid_search.adapters.sqlite_catalog import SqliteCatalog
from hybrid_search.adapters.tantivy_index import TantivyIndex
from hybrid_search.background import Background
from hybrid_search.config import Settings
from hybrid_search.decoding import Decoders
from hybrid_search.duplicates import Duplicate, Duplicates
from hybrid_search.durable import check_room
from hybrid_search.encoding import LazyEmbedder, QueryEncoder
from hybrid_search.errors import (
    IndexCorrupt,
    IndexMissing,
    IndexUnusable,
    SearchError,
)
from hybrid_search.generation_folders import GenerationFolders, Hold
from hybrid_search.generations import (
    forget_copy,
    mend_manifest,
    new_manifest,
    read_manifest,
    write_manifest,
)
from hybrid_search.ingest import Indexer, Target
from hybrid_search.locks import alone
from hybrid_search.parts import (
    embedding_of,
    load_embedder,
    make_analyzer,
    open_catalog,
    open_pictures,
)
from hybrid_search.ports import Subject
from hybrid_search.records import ListName, StoredAsset
from hybrid_search.repairs import Repairs
from hybrid_search.search import Searcher
from hybrid_search.serving import Serving, Stores, embedder_of, open_serving
from hybrid_search.upkeep import Worker
from hybrid_search.vector_stores import VectorStores

_EVERY = 0.5
"""Seconds between looks for a generation that another process has published."""
_AGAIN = 2.0
"""Seconds after which an index is brought to what a failed write has left behind."""


class Engine:
    """Everything that runs over one data folder. Close it, or use it as a context.

    What it serves may change under it: ``adopt`` turns to the generation that was published
    last. A caller that takes ``searcher`` once gets every part of an answer from one generation.
    """

    def __init__(
        self, stores: Stores, serving: Serving, indexer: Indexer | None, closing: ExitStack
    ) -> None:
        self._stores = stores
        self._serving = serving
        self._closing = closing
        self._adopting = threading.Lock()
        self._following: list[Periodic] = []
        self.indexer = indexer
        """``None`` when the engine was opened for reading."""
        self._duplicates = Duplicates(stores.catalog, stores.pictures)
        self.trouble = ""
        """Why the generation that was published last could not be taken over; mostly empty."""

    @property
    def settings(self) -> Settings:
        """What it was opened with."""
        return self._stores.settings

    @property
    def catalog(self) -> SqliteCatalog:
        """The store of record."""
        return self._stores.catalog

    @property
    def pictures(self) -> FolderPictures:
        """The originals and their thumbnails."""
        return self._stores.pictures

    @property
    def searcher(self) -> Searcher:
        """Answers queries over the generation that serves now."""
        return self._serving.searcher

    @property
    def lexical(self) -> TantivyIndex:
        """The inverted index."""
        return self._serving.lexical

    @property
    def vectors(self) -> FaissIndex:
        """The vector index of pictures."""
        return self._serving.vectors["picture"].index

    @property
    def copy_vectors(self) -> FaissIndex | None:
        """The vector index of copy; ``None`` where it is not embedded."""
        store = self._serving.vectors.get("copy")
        return None if store is None else store.index

    @property
    def vector_stores(self) -> VectorStores:
        """The vector indexes by what their vectors are of."""
        return self._serving.vectors

    @property
    def lacking(self) -> Mapping[ListName, str]:
        """The lists of a search that are absent, and why."""
        return self._serving.lacking

    @property
    def embedder(self) -> LazyEmbedder:
        """The model, loaded or not."""
        return self._serving.embedder

    @property
    def encoder(self) -> QueryEncoder:
        """What encodes queries."""
        return self._serving.encoder

    @property
    def upkeep(self) -> Worker | None:
        """What looks after the vector indexes; ``None`` when opened for reading."""
        return self._serving.upkeep

    @property
    def repairs(self) -> tuple[str, ...]:
        """What was found damaged since it was opened, and put right."""
        return tuple(self._stores.repairs.done)

    @property
    def generation(self) -> str:
        """The name of the generation that serves."""
        return self._serving.folder.name

    @property
    def model(self) -> str:
        """The key of the model whose vectors are searched."""
        return self._serving.model

    def usual(self, subject: Subject) -> Background | None:
        """What is usual among the vectors of that index, as it was measured last."""
        return self._serving.vectors[subject].background.current()

    def copies_of(self, stored: StoredAsset) -> list[Duplicate]:
        """Live assets with a copy of its picture: identical ones first, then the nearest."""
        return self._duplicates.of(stored, self.vectors)

    def writer(self) -> Indexer:
        """The indexer; raises ``IndexUnusable`` when the engine was opened for reading."""
        if self.indexer is None:
            raise IndexUnusable("the engine was opened for reading only")
        return self.indexer

    def embed_missing(self) -> None:
        """Give every live picture, and copy if wanted, a vector of the model that serves."""
        self._embed_missing(self._serving.folder, self.embedder)

    def warm_up(self) -> None:
        """Load what is otherwise loaded by the first search: the model, and Kiwi's dictionary."""
        self._serving.warm_up()

    def adopt(self) -> bool:
        """Serve the generation that was published since, if any; whether there was one.

        Searches go on all the while; writes wait only for the turn itself. Pictures that came in
        since that generation was built are embedded by its model first, by the process that
        writes; one that reads waits for that.
        """
        with self._adopting:
            held = GenerationFolders(self.settings.data_dir / "generations").hold()
            if held is None or held[0] == self._serving.folder:
                return False
            folder, hold = held
            embedder = embedder_of(self.settings, folder)
            old = self._serving
            if self.indexer is None:
                if self.catalog.unembedded(read_manifest(folder).model):
                    return False  # the process that writes is about to embed them
                self._turn(folder, hold, embedder)
            else:
                self._embed_missing(folder, embedder)
                self.indexer.turn_to(lambda: self._turn(folder, hold, embedder))
            old.close()
            self.trouble = ""
            return True

    def follow(self) -> None:
        """Keep adopting, and making up for failed writes, until the engine is closed."""
        self._following = [Periodic(self._try_to_adopt, _EVERY), Periodic(self._make_up, _AGAIN)]

    def close(self) -> None:
        """Finish what runs and release the files."""
        with self._closing:
            for work in self._following:
                work.close()
            self._serving.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _turn(self, folder: Path, hold: Hold, embedder: LazyEmbedder) -> Target:
        """Serve that generation, at the catalog's last operation and warm."""
        if self._stores.write:
            self._embed_missing(folder, embedder)
        serving = open_serving(self._stores, folder, embedder, hold)
        serving.warm_up()
        self._serving = serving
        return serving.target(self._stores)

    def _embed_missing(self, folder: Path, embedder: LazyEmbedder) -> None:
        copy = bool(read_manifest(folder).copy) and self.settings.embedding.embed_copy
        self._stores.embed_missing(embedder, copy=copy)

    def _try_to_adopt(self) -> None:
        try:
            self.adopt()
        except SearchError as failure:
            self.trouble = str(failure)

    def _make_up(self) -> None:
        # What keeps a write from an index is said to whoever writes; here it is tried again.
        with suppress(SearchError):
            if self.indexer is not None:
                self.indexer.make_up()


class Periodic:
    """Does something again and again in a thread of its own."""

    def __init__(self, work: Callable[[], None], every: float) -> None:
        self._work, self._every = work, every
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follow", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take up nothing more; what is under way comes to its end."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(self._every):
            self._work()


def open_engine(settings: Settings, *, write: bool = False, background: bool = False) -> Engine:
    """A running engine over the settings' data folder; with ``write``, created where missing.

    In the ``background``, what a writer's vector index needs is done aside, and generations that
    other processes publish are taken over.

    Raises ``IndexMissing`` without anything to read, ``IndexLocked`` when another process
    writes, ``IndexMismatch`` when analyser or model are not those of the index.
    """
    with ExitStack() as stack:
        if write:
            lock_writing(settings, stack)
        catalog = open_catalog(settings, write=write)
        stack.callback(catalog.close)
        workers, limits = settings.ingest.workers, settings.pictures.limits()
        decoders = Decoders(limits, workers, apart=background)
        stack.callback(decoders.close)
        pictures = open_pictures(settings)
        repairs = Repairs(settings.data_dir / "damaged")
        stores = Stores(settings, catalog, pictures, decoders, repairs, write, background)
        _check_catalog(stores)
        folder, hold = _generation(stores)
        serving = open_serving(stores, folder, hold=hold)
        indexer = _indexer(stores, serving, stack) if write else None
        engine = Engine(stores, serving, indexer, stack.pop_all())
    if background:
        engine.follow()
    return engine


def lock_writing(settings: Settings, stack: ExitStack) -> None:
    """Be the one who writes until the stack ends; raises ``IndexLocked`` while another is."""
    reason = f"writes to {settings.data_dir}; stop it, or write through its service"
    lock(settings.data_dir / "writer.lock", stack, reason)


def lock(path: Path, stack: ExitStack, does: str) -> None:
    """Hold the lock until the stack ends; raises ``IndexLocked`` while another process has it."""
    stack.enter_context(alone(path, f"another process {does}"))


def _indexer(stores: Stores, serving: Serving, stack: ExitStack) -> Indexer:
    settings = stores.settings
    indexer = Indexer(
        catalog=stores.catalog,
        pictures=stores.pictures,
        target=serving.target(stores),
        fields=settings.declared_fields(),
        batch_size=settings.ingest.batch_size,
        room=lambda: check_room(settings.data_dir, settings.storage.reserve_mb),
    )
    stack.callback(indexer.close)
    return indexer


def _check_catalog(stores: Stores) -> None:
    """Raise ``IndexCorrupt`` for a catalog whose pages make no sense."""
    if stores.checked and (damage := stores.catalog.health.malformed(quick=True)):
        raise IndexCorrupt(
            f"catalog: {stores.settings.data_dir / 'catalog.sqlite'} is damaged, {damage[0]};"
            " run: hybrid-search verify"
        )


def _generation(stores: Stores) -> tuple[Path, Hold]:
    """The folder of the generation that serves; who writes makes the first one."""
    settings = stores.settings
    folders = GenerationFolders(settings.data_dir / "generations")
    held = _mended(folders, stores.repairs) if stores.write else folders.hold()
    if held is None:
        if not stores.write:
            raise IndexMissing(f"no index in {settings.data_dir}; run: hybrid-search ingest PATH")
        folders.publish(_first(settings, folders.begin()))
        held = folders.hold()
    if held is None:
        raise IndexMissing(f"the index in {settings.data_dir} was removed while it was opened")
    if stores.write and not settings.embedding.embed_copy:
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
