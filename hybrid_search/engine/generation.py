"""One generation in service: its indexes, its model, and the roads over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from hybrid_search.core import ListName, Note, Query
from hybrid_search.core.errors import IndexCorrupt
from hybrid_search.core.ports import Embedder
from hybrid_search.embedding.image_encoder import PictureEncoder
from hybrid_search.embedding.query_encoder import LazyEmbedder, QueryEncoder
from hybrid_search.embedding.text_encoder import CopyVectors
from hybrid_search.engine.parts import LEXICAL, embedding_of, load_embedder, open_lexical
from hybrid_search.files.quarantine import Repairs
from hybrid_search.files.versioned_dirs import Hold
from hybrid_search.images.decoder_pool import Decoders
from hybrid_search.images.store import FolderPictures
from hybrid_search.ingest.pipeline import Target
from hybrid_search.search.retriever import Retriever
from hybrid_search.search.searcher import Searcher
from hybrid_search.settings.settings import Settings
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.lexical.index import TantivyIndex
from hybrid_search.stores.embedded.log_replay import LexicalReplay, VectorReplay
from hybrid_search.stores.embedded.maintenance import (
    InlineMaintenance,
    MaintenanceMode,
    MaintenanceRunner,
    ThreadMaintenance,
)
from hybrid_search.stores.embedded.manifest import read_manifest
from hybrid_search.stores.embedded.vector_indexes import (
    VectorStores,
    configured_plan,
    lists_lacking,
    open_vector_stores,
    sources_by_list,
)


@dataclass(frozen=True, slots=True)
class Stores:
    """What all generations of a data folder share."""

    settings: Settings
    catalog: SqliteCatalog
    pictures: FolderPictures
    decoders: Decoders
    repairs: Repairs
    write: bool = False
    maintenance: MaintenanceMode = "inline"

    @property
    def checked(self) -> bool:
        """Whether files are compared with their hashes: not for a single search."""
        return self.settings.storage.verify_at_start and (
            self.write or self.maintenance == "thread"
        )

    def embed_missing(
        self,
        embedder: Embedder,
        *,
        copy: bool,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Give every live picture, and copy if wanted, a vector of that model.

        ``progress(done, all)`` is told of the pictures, and then of the copy.
        """
        encoder = PictureEncoder(self.catalog, embedder, self.decoders)
        encoder.embed_missing(self.pictures, progress)
        if copy:
            fields = self.settings.declared_fields()
            CopyVectors(self.catalog, embedder, fields).embed_missing(progress)


@dataclass(frozen=True, slots=True)
class Serving:
    """One generation, opened: a search that begins in it ends in it."""

    folder: Path
    model: str
    """The key of the model whose vectors are searched."""
    lexical: TantivyIndex
    vectors: VectorStores
    lacking: Mapping[ListName, Note]
    """The unavailable lists, and how to make each available."""
    embedder: LazyEmbedder
    encoder: QueryEncoder
    searcher: Searcher
    followers: Sequence[VectorReplay]
    maintenance: MaintenanceRunner | None
    """Maintains the vector indexes; ``None`` where nothing is written."""
    hold: Hold | None = None
    """What keeps its folder from being collected."""

    def target(self, stores: Stores) -> Target:
        """Where writes go."""
        fields = stores.settings.declared_fields()
        copy = CopyVectors(stores.catalog, self.embedder, fields)
        return Target(
            encoder=PictureEncoder(stores.catalog, self.embedder, stores.decoders),
            copy=copy if "copy" in self.vectors else None,
            followers=(LexicalReplay(stores.catalog, self.lexical), *self.followers),
            written=_nobody if self.maintenance is None else self.maintenance.notify,
            settled=_nobody if self.maintenance is None else self.maintenance.settle,
        )

    def warm_up(self) -> None:
        """Load what is otherwise loaded by the first search: the model, and Kiwi's dictionary."""
        self.searcher.search(Query("가", size=1))
        # A text query does not load the image tower of the packaged model.
        _ = self.embedder.preprocess_spec

    def close(self) -> None:
        """Finish what runs. Searches under way go on to their end."""
        if self.maintenance is not None:
            self.maintenance.close()
        self.lexical.close()
        if self.hold is not None:
            self.hold.release()


def embedder_of(settings: Settings, folder: Path) -> LazyEmbedder:
    """The model of the generation in that folder; checked against its vectors when it is loaded."""
    manifest = read_manifest(folder)
    section = embedding_of(settings, manifest)
    embedder = LazyEmbedder(lambda: load_embedder(section), section.choice().name)
    embedder.expect(manifest.model)
    return embedder


def open_serving(
    stores: Stores,
    folder: Path,
    embedder: LazyEmbedder | None = None,
    hold: Hold | None = None,
    encoder: QueryEncoder | None = None,
) -> Serving:
    """The generation in that folder, at the catalog's last operation when it is written to.

    What is damaged is set aside by who writes, and comes from the catalog again. Raises
    ``IndexMismatch`` when the analyser is not that of the index, and ``IndexCorrupt`` for damage
    that only who writes may repair.
    """
    settings, catalog = stores.settings, stores.catalog
    embedder = embedder or embedder_of(settings, folder)
    lexical = _open_lexical(stores, folder)
    with ExitStack() as undo:
        undo.callback(lexical.close)
        plan = configured_plan(settings, maintenance=stores.maintenance)
        repairs = stores.repairs if stores.write else None
        vectors = open_vector_stores(settings, folder, plan, repairs, checked=stores.checked)
        followers = tuple(store.replay(catalog) for store in vectors.values())
        for replay in followers:
            replay.load()
        if stores.write:
            words = LexicalReplay(catalog, lexical)
            words.catch_up()
            stores.repairs.note(words.reconcile())
        undo.pop_all()
    encoder = encoder or QueryEncoder(embedder, settings.embedding.cached_queries)
    return Serving(
        folder=folder,
        model=read_manifest(folder).model,
        lexical=lexical,
        vectors=vectors,
        lacking=lists_lacking(settings, vectors),
        embedder=embedder,
        encoder=encoder,
        searcher=_searcher(stores, lexical, vectors, followers, encoder),
        followers=followers,
        maintenance=_maintenance(stores, vectors, embedder) if stores.write else None,
        hold=hold,
    )


def _open_lexical(stores: Stores, folder: Path) -> TantivyIndex:
    settings, checked = stores.settings, stores.checked
    try:
        return open_lexical(settings, folder, write=stores.write, checked=checked)
    except IndexCorrupt as failure:
        if not stores.write:
            raise
        stores.repairs.note(f"{failure}; set aside, and made again from the catalog")
        stores.repairs.set_aside(folder / LEXICAL)
        return open_lexical(settings, folder, write=True)


def _searcher(
    stores: Stores,
    lexical: TantivyIndex,
    vectors: VectorStores,
    followers: Sequence[VectorReplay],
    encoder: QueryEncoder,
) -> Searcher:
    settings = stores.settings
    retriever = Retriever(
        catalog=stores.catalog,
        lexical=lexical,
        vectors=sources_by_list(vectors),
        followers=followers,
        encoder=encoder,
        prepare=stores.decoders.pixels,
        fields=settings.declared_fields(),
        lacking=lists_lacking(settings, vectors),
    )
    return Searcher(
        catalog=stores.catalog,
        lexical=lexical,
        retriever=retriever,
        fusion=settings.fusion.settings(),
        challenger=settings.feedback.challenger.challenger(settings.fusion.settings()),
    )


def _maintenance(
    stores: Stores, vectors: VectorStores, embedder: LazyEmbedder
) -> MaintenanceRunner:
    indexes = [store.maintenance(stores.catalog, embedder.texts) for store in vectors.values()]
    made = ThreadMaintenance if stores.maintenance == "thread" else InlineMaintenance
    runner = made(indexes)
    runner.notify()
    return runner


def _nobody() -> None:
    """Told of a write where nobody looks after the index."""
