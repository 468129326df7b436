"""The embedded store: one generation of a data folder, opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hybrid_search.core.arrays import Vectors
from hybrid_search.core.errors import IndexCorrupt
from hybrid_search.embedding.query_encoder import LazyEmbedder
from hybrid_search.files.quarantine import Repairs
from hybrid_search.settings.settings import Settings
from hybrid_search.stores.embedded.data_folder import (
    LEXICAL,
    DataFolder,
    Shared,
    embedder_of,
    open_lexical,
    open_shared,
    serving_folder,
)
from hybrid_search.stores.embedded.lexical.index import TantivyIndex
from hybrid_search.stores.embedded.maintenance import (
    InlineMaintenance,
    MaintenanceRunner,
    ThreadMaintenance,
)
from hybrid_search.stores.embedded.vector.index import FaissIndex
from hybrid_search.stores.embedded.vector_indexes import (
    VectorStores,
    configured_plan,
    open_vector_stores,
    sources_by_list,
    unavailable_lists,
)
from hybrid_search.stores.local.log_replay import LexicalReplay, VectorReplay
from hybrid_search.stores.local.store import Indexes, LocalStore


class EmbeddedStore(LocalStore):
    """A ``Store`` of Tantivy, Faiss and SQLite in a folder. Close it."""

    def __init__(
        self,
        indexes: Indexes,
        lexical: TantivyIndex,
        vectors: VectorStores,
        maintenance: MaintenanceRunner | None,
    ) -> None:
        super().__init__(indexes, _no_maintenance if maintenance is None else maintenance.notify)
        self.lexical = lexical
        self.vectors = vectors
        self._maintenance = maintenance

    @property
    def picture_vectors(self) -> FaissIndex:
        """The vector index of pictures."""
        return self.vectors["picture"].index

    @property
    def text_vectors(self) -> FaissIndex | None:
        """The vector index of text; ``None`` where text is not embedded."""
        store = self.vectors.get("copy")
        return None if store is None else store.index

    @property
    def maintenance(self) -> MaintenanceRunner | None:
        """What merges and rebuilds the vector indexes; ``None`` when opened for reading."""
        return self._maintenance

    def settle(self) -> None:
        """Do the maintenance that waits for the last of many writes."""
        if self._maintenance is not None:
            self._maintenance.settle()

    def close(self) -> None:
        """Finish what runs and release the files. Searches under way go on to their end."""
        if self._maintenance is not None:
            self._maintenance.close()
        self.lexical.close()


def open_store(
    data: DataFolder, folder: Path, texts: Callable[[list[str]], Vectors]
) -> EmbeddedStore:
    """The generation in that folder, at the catalog's last operation when it is written to.

    ``texts`` embeds texts, for maintenance. A writer sets damaged indexes aside and builds them
    from the catalog again. Raises ``IndexMismatch`` when the analyzer is not that of the index, and
    ``IndexCorrupt`` for damage that only a writer may repair.
    """
    lexical = _open_lexical(data, folder)
    with ExitStack() as undo:
        undo.callback(lexical.close)
        vectors = _open_vectors(data, folder)
        replays = tuple(store.replay(data.catalog) for store in vectors.values())
        for replay in replays:
            replay.load()
        if data.write:
            _bring_up(LexicalReplay(data.catalog, lexical), data.repairs)
        undo.pop_all()
    maintenance = _maintenance(data, vectors, texts) if data.write else None
    return EmbeddedStore(_indexes(data, lexical, vectors, replays), lexical, vectors, maintenance)


@dataclass(frozen=True, slots=True)
class Serving:
    """The serving generation of a data folder, opened without the pipelines."""

    shared: Shared
    folder: Path
    store: EmbeddedStore
    embedder: LazyEmbedder


@contextmanager
def open_serving(settings: Settings, *, write: bool = False) -> Iterator[Serving]:
    """Open the serving generation; raises what ``open_shared`` and ``open_store`` raise."""
    with ExitStack() as stack:
        shared = stack.enter_context(open_shared(settings, write=write))
        folder, hold = serving_folder(shared.data)
        stack.callback(hold.release)
        embedder = embedder_of(settings, folder)
        store = stack.enter_context(closing(open_store(shared.data, folder, embedder.texts)))
        yield Serving(shared, folder, store, embedder)


def _indexes(
    data: DataFolder,
    lexical: TantivyIndex,
    vectors: VectorStores,
    replays: tuple[VectorReplay, ...],
) -> Indexes:
    return Indexes(
        catalog=data.catalog,
        lexical=lexical,
        sources=lambda: sources_by_list(vectors),
        fields=data.settings.declared_fields(),
        unavailable=unavailable_lists(data.settings, vectors),
        vector_replays=replays,
        lexical_replay=LexicalReplay(data.catalog, lexical) if data.write else None,
    )


def _open_lexical(data: DataFolder, folder: Path) -> TantivyIndex:
    try:
        return open_lexical(data.settings, folder, write=data.write, checked=data.checked)
    except IndexCorrupt as failure:
        if not data.write:
            raise
        data.repairs.note(f"{failure}; set aside, and made again from the catalog")
        data.repairs.set_aside(folder / LEXICAL)
        return open_lexical(data.settings, folder, write=True)


def _open_vectors(data: DataFolder, folder: Path) -> VectorStores:
    plan = configured_plan(data.settings, maintenance=data.maintenance)
    repairs = data.repairs if data.write else None
    return open_vector_stores(data.settings, folder, plan, repairs, checked=data.checked)


def _bring_up(replay: LexicalReplay, repairs: Repairs) -> None:
    replay.catch_up()
    repairs.note(replay.reconcile())


def _maintenance(
    data: DataFolder, vectors: VectorStores, texts: Callable[[list[str]], Vectors]
) -> MaintenanceRunner:
    work = [store.maintenance(data.catalog, texts) for store in vectors.values()]
    threaded = data.maintenance == "thread"
    runner = ThreadMaintenance(work) if threaded else InlineMaintenance(work)
    runner.notify()
    return runner


def _no_maintenance() -> None:
    """Called after a write where nobody maintains the indexes."""
