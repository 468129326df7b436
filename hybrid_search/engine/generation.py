"""One generation in service: its store, its model, and the query pipeline over both."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid_search.analysis.factory import make_analyzer, open_synonyms
from hybrid_search.analysis.highlighter import Highlighter
from hybrid_search.core import Query
from hybrid_search.embedding.query_encoder import LazyEmbedder, QueryEncoder
from hybrid_search.embedding.text_encoder import TextEncoder
from hybrid_search.files.versioned_dirs import Hold
from hybrid_search.search.query_tree import QueryCompiler
from hybrid_search.search.retriever import Retriever
from hybrid_search.search.searcher import Searcher
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.data_folder import Shared, embedder_of
from hybrid_search.stores.embedded.manifest import read_manifest
from hybrid_search.stores.embedded.store import EmbeddedStore, open_store

if TYPE_CHECKING:
    from hybrid_search.ingest.pipeline import Target


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation, opened: a search that begins in it ends in it."""

    folder: Path
    model: str
    """The key of the model whose vectors are searched."""
    store: EmbeddedStore
    embedder: LazyEmbedder
    encoder: QueryEncoder
    searcher: Searcher
    hold: Hold | None = None
    """Keeps its folder from being collected."""

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name

    def target(self, shared: Shared) -> Target:
        """Where writes go."""
        from hybrid_search.embedding.image_encoder import PictureEncoder
        from hybrid_search.ingest.pipeline import Target

        catalog = shared.data.catalog
        text = TextEncoder(catalog, self.embedder, shared.settings.declared_fields())
        return Target(
            store=self.store,
            images=PictureEncoder(catalog, self.embedder, shared.decoders),
            text=text if "copy" in self.store.vectors else None,
        )

    def warm_up(self) -> None:
        """Load what the first search would load: the model, and Kiwi's dictionary."""
        self.searcher.search(Query("가", size=1))
        # A text query does not load the image tower of the packaged model.
        _ = self.embedder.preprocess_spec

    def close(self) -> None:
        """Finish what runs. Searches under way go on to their end."""
        self.store.close()
        if self.hold is not None:
            self.hold.release()


def open_generation(
    shared: Shared,
    folder: Path,
    embedder: LazyEmbedder | None = None,
    hold: Hold | None = None,
    encoder: QueryEncoder | None = None,
) -> Generation:
    """The generation in that folder; see ``open_store`` for what is raised."""
    embedder = embedder or embedder_of(shared.settings, folder)
    store = open_store(shared.data, folder, embedder.texts)
    encoder = encoder or QueryEncoder(embedder, shared.settings.embedding.cached_queries)
    return Generation(
        folder=folder,
        model=read_manifest(folder).model,
        store=store,
        embedder=embedder,
        encoder=encoder,
        searcher=_searcher(shared, store, encoder),
        hold=hold,
    )


def generation_measure(
    measure: Callable[[Searcher, SqliteCatalog], float],
) -> Callable[[Shared, Path], float]:
    """A measure of the generation in a folder, by one of its searcher."""

    def of_folder(shared: Shared, folder: Path) -> float:
        with closing(open_generation(shared, folder)) as opened:
            return measure(opened.searcher, shared.data.catalog)

    return of_folder


def _searcher(shared: Shared, store: EmbeddedStore, encoder: QueryEncoder) -> Searcher:
    settings = shared.settings
    fusion, fields = settings.fusion.settings(), settings.declared_fields()
    analyzer, synonyms = make_analyzer(settings), open_synonyms(settings)
    retriever = Retriever(
        store=store,
        compiler=QueryCompiler(analyzer, synonyms, fields),
        encoder=encoder,
        prepare=shared.decoders.pixels,
        fields=fields,
    )
    return Searcher(
        retriever=retriever,
        highlighter=Highlighter(analyzer, synonyms),
        fusion=fusion,
        challenger=settings.feedback.challenger.challenger(fusion),
    )
