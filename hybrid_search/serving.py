"""One generation in service: its indexes, its model, and the roads over them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from hybrid_search.adapters.faiss_index import FaissIndex
from hybrid_search.adapters.folder_pictures import FolderPictures
from hybrid_search.adapters.sqlite_catalog import SqliteCatalog
from hybrid_search.adapters.tantivy_index import TantivyIndex
from hybrid_search.config import Settings
from hybrid_search.decoding import Decoders
from hybrid_search.encoding import LazyEmbedder, QueryEncoder
from hybrid_search.following import LexicalFollower, VectorFollower
from hybrid_search.generations import read_manifest
from hybrid_search.ingest import Target
from hybrid_search.parts import embedding_of, load_embedder, open_lexical, open_vectors_in
from hybrid_search.picture_encoding import PictureEncoder
from hybrid_search.records import Query
from hybrid_search.retrieval import Retriever
from hybrid_search.search import Searcher
from hybrid_search.upkeep import AtOnce, InBackground, Upkeep, Worker


@dataclass(frozen=True, slots=True)
class Stores:
    """What all generations of a data folder share."""

    settings: Settings
    catalog: SqliteCatalog
    pictures: FolderPictures
    decoders: Decoders
    write: bool
    background: bool
    """Whether what an index needs is done aside, not after each write."""


@dataclass(frozen=True, slots=True)
class Serving:
    """One generation, opened: a search that begins in it ends in it."""

    folder: Path
    model: str
    """The key of the model whose vectors are searched."""
    lexical: TantivyIndex
    vectors: FaissIndex
    embedder: LazyEmbedder
    encoder: QueryEncoder
    searcher: Searcher
    followers: tuple[LexicalFollower, VectorFollower]
    pictures: PictureEncoder
    upkeep: Worker | None
    """What looks after the vector index; ``None`` where nothing is written."""

    def target(self) -> Target:
        """Where writes go."""
        told = _nobody if self.upkeep is None else self.upkeep.notify
        return Target(self.pictures, self.followers, told)

    def warm_up(self) -> None:
        """Load what is otherwise loaded by the first search: the model, and Kiwi's dictionary."""
        self.searcher.search(Query("가", size=1))

    def close(self) -> None:
        """Finish what runs. Searches under way go on to their end."""
        if self.upkeep is not None:
            self.upkeep.close()
        self.lexical.close()


def embedder_of(settings: Settings, folder: Path) -> LazyEmbedder:
    """The model of the generation in that folder; checked against its vectors when it is loaded."""
    manifest = read_manifest(folder)
    section = embedding_of(settings, manifest)
    embedder = LazyEmbedder(lambda: load_embedder(section), section.choice().name)
    embedder.expect(manifest.model)
    return embedder


def open_serving(stores: Stores, folder: Path, embedder: LazyEmbedder | None = None) -> Serving:
    """The generation in that folder, at the catalog's last operation when it is written to.

    Raises ``IndexMismatch`` when the analyser is not that of the index.
    """
    model = read_manifest(folder).model
    embedder = embedder or embedder_of(stores.settings, folder)
    lexical = open_lexical(stores.settings, folder, write=stores.write)
    with ExitStack() as undo:
        undo.callback(lexical.close)
        vectors = open_vectors_in(stores.settings, folder, model, background=stores.background)
        followers = (
            LexicalFollower(stores.catalog, lexical),
            VectorFollower(stores.catalog, vectors, model),
        )
        if stores.write:
            followers[0].catch_up()
        undo.pop_all()
    encoder = QueryEncoder(embedder, stores.settings.embedding.cached_queries)
    return Serving(
        folder=folder,
        model=model,
        lexical=lexical,
        vectors=vectors,
        embedder=embedder,
        encoder=encoder,
        searcher=_searcher(stores, lexical, vectors, followers[1], encoder),
        followers=followers,
        pictures=PictureEncoder(stores.catalog, embedder, stores.decoders),
        upkeep=_upkeep(stores, vectors, model, embedder) if stores.write else None,
    )


def _searcher(
    stores: Stores,
    lexical: TantivyIndex,
    vectors: FaissIndex,
    follower: VectorFollower,
    encoder: QueryEncoder,
) -> Searcher:
    retriever = Retriever(
        catalog=stores.catalog,
        lexical=lexical,
        vectors=vectors,
        follower=follower,
        encoder=encoder,
        limits=stores.settings.pictures.limits(),
        fields=stores.settings.declared_fields(),
    )
    return Searcher(
        catalog=stores.catalog,
        lexical=lexical,
        retriever=retriever,
        fusion=stores.settings.fusion.settings(),
    )


def _upkeep(stores: Stores, vectors: FaissIndex, model: str, embedder: LazyEmbedder) -> Worker:
    upkeep = Upkeep(stores.catalog, vectors, model, embedder.texts)
    worker = InBackground(upkeep) if stores.background else AtOnce(upkeep)
    worker.notify()
    return worker


def _nobody() -> None:
    """Told of a write where nobody looks after the index."""
