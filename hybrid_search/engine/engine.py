"""Everything that runs over one data folder, and how it turns to what is published since."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from hybrid_search.core import ListName, Note, StoredAsset
from hybrid_search.core.errors import (
    IndexUnusable,
    SearchError,
)
from hybrid_search.core.periodic import Periodic
from hybrid_search.core.ports import Subject
from hybrid_search.core.similarity_baseline import SimilarityBaseline
from hybrid_search.embedding.query_encoder import LazyEmbedder, QueryEncoder
from hybrid_search.engine.generation import Generation, Shared, embedder_of, open_generation
from hybrid_search.files.versioned_dirs import GenerationFolders, Hold
from hybrid_search.images.near_duplicates import Duplicate, Duplicates
from hybrid_search.images.store import FolderPictures
from hybrid_search.ingest.pipeline import Indexer, Target
from hybrid_search.search.searcher import Searcher
from hybrid_search.settings.settings import Settings
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.lexical.index import TantivyIndex
from hybrid_search.stores.embedded.maintenance import MaintenanceRunner
from hybrid_search.stores.embedded.manifest import (
    read_manifest,
)
from hybrid_search.stores.embedded.vector.index import FaissIndex
from hybrid_search.stores.embedded.vector_indexes import VectorStores

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
        self, shared: Shared, serving: Generation, indexer: Indexer | None, closing: ExitStack
    ) -> None:
        self._shared = shared
        self._serving = serving
        self._closing = closing
        self._adopting = threading.Lock()
        self._following: list[Periodic] = []
        self.indexer = indexer
        """``None`` when the engine was opened for reading."""
        self._duplicates = Duplicates(shared.data.catalog, shared.data.pictures)
        self.trouble = ""
        """Why the generation that was published last could not be taken over; mostly empty."""

    @property
    def shared(self) -> Shared:
        """What all generations of the index share."""
        return self._shared

    @property
    def settings(self) -> Settings:
        """What it was opened with."""
        return self._shared.settings

    @property
    def catalog(self) -> SqliteCatalog:
        """The store of record."""
        return self._shared.data.catalog

    @property
    def pictures(self) -> FolderPictures:
        """The originals and their thumbnails."""
        return self._shared.data.pictures

    @property
    def searcher(self) -> Searcher:
        """Answers queries over the generation that serves now."""
        return self._serving.searcher

    @property
    def lexical(self) -> TantivyIndex:
        """The inverted index."""
        return self._serving.store.lexical

    @property
    def vectors(self) -> FaissIndex:
        """The vector index of pictures."""
        return self._serving.store.vectors["picture"].index

    @property
    def copy_vectors(self) -> FaissIndex | None:
        """The vector index of copy; ``None`` where it is not embedded."""
        store = self._serving.store.vectors.get("copy")
        return None if store is None else store.index

    @property
    def vector_stores(self) -> VectorStores:
        """The vector indexes by what their vectors are of."""
        return self._serving.store.vectors

    @property
    def unavailable(self) -> Mapping[ListName, Note]:
        """The candidate lists that the index cannot answer, each with the reason."""
        return self._serving.store.view().unavailable

    @property
    def embedder(self) -> LazyEmbedder:
        """The model, loaded or not."""
        return self._serving.embedder

    @property
    def encoder(self) -> QueryEncoder:
        """What encodes queries."""
        return self._serving.encoder

    @property
    def maintenance(self) -> MaintenanceRunner | None:
        """Maintains the vector indexes; ``None`` when opened for reading."""
        return self._serving.store.maintenance

    @property
    def repairs(self) -> tuple[str, ...]:
        """What was found damaged since it was opened, and put right."""
        return tuple(self._shared.data.repairs.done)

    @property
    def folder(self) -> Path:
        """Where the generation that serves lies."""
        return self._serving.folder

    @property
    def generation(self) -> str:
        """The name of the generation that serves."""
        return self._serving.folder.name

    @property
    def model(self) -> str:
        """The key of the model whose vectors are searched."""
        return self._serving.model

    def baseline(self, subject: Subject) -> SimilarityBaseline | None:
        """The last measured baseline of that vector index; ``None`` before the first."""
        return self._serving.store.vectors[subject].baseline.current()

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
        self._following = [
            Periodic(self._try_to_adopt, _EVERY).start(),
            Periodic(self._make_up, _AGAIN).start(),
        ]

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
        if self._shared.data.write:
            self._embed_missing(folder, embedder)
        serving = open_generation(self._shared, folder, embedder, hold)
        serving.warm_up()
        self._serving = serving
        return serving.target(self._shared)

    def _embed_missing(self, folder: Path, embedder: LazyEmbedder) -> None:
        copy = bool(read_manifest(folder).copy) and self.settings.embedding.embed_copy
        self._shared.embed_missing(embedder, text=copy)

    def _try_to_adopt(self) -> None:
        try:
            self.adopt()
        except SearchError as failure:
            self.trouble = str(failure)

    def _make_up(self) -> None:
        # What keeps a write from an index is said to whoever writes; here it is tried again.
        with suppress(SearchError):
            if self.indexer is not None:
                self.indexer.recover()
