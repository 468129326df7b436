"""Settings in, a running engine out; this and ``vector_stores`` name concrete adapters."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from hybrid_search.adapters.faiss_index import FaissIndex
from hybrid_search.adapters.folder_pictures import FolderPictures
from hybrid_search.adapters.sqlite_catalog import SqliteCatalog
from hybrid_search.adapters.tantivy_index import TantivyIndex
from hybrid_search.config import Settings
from hybrid_search.copy_vectors import CopyVectors, copy_key
from hybrid_search.durable import Generations
from hybrid_search.encoding import LazyEmbedder, QueryEncoder
from hybrid_search.errors import IndexLocked, IndexMissing, IndexUnusable, InvalidConfig
from hybrid_search.following import LexicalFollower, VectorFollower
from hybrid_search.generations import Manifest, read_manifest, write_manifest
from hybrid_search.ingest import Indexer, embed_missing
from hybrid_search.ports import Embedder, LiveVectors, Rebuilt, Subject, Vectors
from hybrid_search.records import ListName, Ordinal, Query
from hybrid_search.retrieval import Retriever
from hybrid_search.search import Searcher
from hybrid_search.text.analysis import Analyzer
from hybrid_search.text.kiwi import KiwiAnalyzer
from hybrid_search.text.rules import RulesAnalyzer
from hybrid_search.text.synonyms import SynonymFile
from hybrid_search.upkeep import AtOnce, InBackground, Worker
from hybrid_search.vector_plans import VectorPlan
from hybrid_search.vector_stores import (
    VectorStores,
    configured_plan,
    indexes_by_list,
    lists_lacking,
    open_vector_stores,
    vector_index,
)


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that runs over one data folder. Close it, or use it as a context."""

    settings: Settings
    catalog: SqliteCatalog
    pictures: FolderPictures
    lexical: TantivyIndex
    vectors: FaissIndex
    """Of pictures."""
    copy_vectors: FaissIndex | None
    """Of copy; ``None`` where it is not embedded."""
    lacking: Mapping[ListName, str]
    """The lists that are absent, and why."""
    embedder: LazyEmbedder
    encoder: QueryEncoder
    searcher: Searcher
    upkeep: Worker | None
    """What looks after the vector indexes; ``None`` when the engine was opened for reading."""
    indexer: Indexer | None
    """``None`` when the engine was opened for reading."""
    generation: str
    """The name of the generation that serves."""
    model: str
    """The key of the model whose vectors are searched."""
    closing: ExitStack

    def writer(self) -> Indexer:
        """The indexer; raises ``IndexUnusable`` when the engine was opened for reading."""
        if self.indexer is None:
            raise IndexUnusable("the engine was opened for reading only")
        return self.indexer

    def warm_up(self) -> None:
        """Load what is otherwise loaded by the first search: the model, and Kiwi's dictionary."""
        self.searcher.search(Query("가", size=1))

    def close(self) -> None:
        """Finish what runs and release the files."""
        self.closing.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_engine(settings: Settings, *, write: bool = False, background: bool = False) -> Engine:
    """A running engine over the settings' data folder; with ``write``, created where missing.

    What a writer's vector indexes need is done after each write, or in the ``background``.

    Raises ``IndexMissing`` without anything to read, ``IndexLocked`` when another process
    writes, ``IndexMismatch`` when analyser or model are not those of the index.
    """
    with ExitStack() as stack:
        if write:
            _lock(settings.data_dir, stack)
        catalog = SqliteCatalog(settings.data_dir / "catalog.sqlite", read_only=not write)
        stack.callback(catalog.close)
        embedder = LazyEmbedder(lambda: _load_embedder(settings))
        folder = _generation(settings, embedder, write=write)
        plan = configured_plan(settings, background=background)
        stores = _open_stores(settings, catalog, embedder, folder, plan)
        stack.callback(stores.lexical.close)
        encoder = QueryEncoder(embedder, settings.embedding.cached_queries)
        worker, indexer = _writing(settings, stores, stack, background) if write else (None, None)
        return Engine(
            settings=settings,
            catalog=catalog,
            pictures=stores.pictures,
            lexical=stores.lexical,
            vectors=stores.vectors["picture"].index,
            copy_vectors=stores.vectors["copy"].index if "copy" in stores.vectors else None,
            lacking=lists_lacking(settings, stores.vectors),
            embedder=embedder,
            encoder=encoder,
            searcher=_searcher(settings, stores, encoder),
            upkeep=worker,
            indexer=indexer,
            generation=folder.name,
            model=stores.model,
            closing=stack.pop_all(),
        )


@dataclass(frozen=True, slots=True)
class _Stores:
    catalog: SqliteCatalog
    pictures: FolderPictures
    lexical: TantivyIndex
    vectors: VectorStores
    followers: tuple[VectorFollower, ...]
    embedder: LazyEmbedder
    model: str


def _open_stores(
    settings: Settings,
    catalog: SqliteCatalog,
    embedder: LazyEmbedder,
    folder: Path,
    plan: VectorPlan,
) -> _Stores:
    """The stores of the generation in the folder; only a writer's catalog lets it write."""
    model = read_manifest(folder).model
    embedder.expect(model)
    lexical = TantivyIndex(
        folder / "lexical",
        make_analyzer(settings),
        fields=settings.declared_fields(),
        synonyms=_synonyms(settings),
        read_only=catalog.read_only,
    )
    pictures = FolderPictures(settings.data_dir / "pictures", settings.pictures.limits())
    vectors = open_vector_stores(settings, folder, plan)
    followers = tuple(store.follower(catalog) for store in vectors.values())
    return _Stores(catalog, pictures, lexical, vectors, followers, embedder, model)


def _writing(
    settings: Settings, stores: _Stores, stack: ExitStack, background: bool
) -> tuple[Worker, Indexer]:
    """What writes, and what looks after the vector indexes, all at the last operation."""
    catalog, embedder, fields = stores.catalog, stores.embedder, settings.declared_fields()
    upkeeps = [store.upkeep(catalog, embedder.texts) for store in stores.vectors.values()]
    worker = InBackground(upkeeps) if background else AtOnce(upkeeps)
    stack.callback(worker.close)
    indexer = Indexer(
        catalog=catalog,
        pictures=stores.pictures,
        embedder=embedder,
        followers=(LexicalFollower(catalog, stores.lexical), *stores.followers),
        limits=settings.pictures.limits(),
        fields=fields,
        copy=CopyVectors(catalog, embedder, fields) if "copy" in stores.vectors else None,
        written=worker.notify,
        batch_size=settings.ingest.batch_size,
        workers=settings.ingest.workers,
    )
    stack.callback(indexer.close)
    indexer.catch_up()
    worker.notify()
    return worker, indexer


def _searcher(settings: Settings, stores: _Stores, encoder: QueryEncoder) -> Searcher:
    retriever = Retriever(
        catalog=stores.catalog,
        lexical=stores.lexical,
        vectors=indexes_by_list(stores.vectors),
        followers=stores.followers,
        encoder=encoder,
        limits=settings.pictures.limits(),
        fields=settings.declared_fields(),
        lacking=lists_lacking(settings, stores.vectors),
    )
    return Searcher(
        catalog=stores.catalog,
        lexical=stores.lexical,
        retriever=retriever,
        fusion=settings.fusion.settings(),
    )


def rebuild(
    settings: Settings, progress: Callable[[int, int], None] | None = None
) -> dict[Subject, Rebuilt]:
    """Build a new generation from the catalog with the configured analyser and model.

    Only pictures and copy without a vector of that model are embedded. The old generation serves
    until the new one is whole, and goes on serving when a new vector index finds too little.
    """
    with ExitStack() as stack:
        _lock(
            settings.data_dir,
            stack,
            "; for the vector index alone: hybrid-search rebuild --vectors",
        )
        catalog = SqliteCatalog(settings.data_dir / "catalog.sqlite")
        stack.callback(catalog.close)
        embedder = _load_embedder(settings)
        pictures = FolderPictures(settings.data_dir / "pictures", settings.pictures.limits())
        embed_missing(catalog, pictures, embedder, settings.pictures.limits(), progress)
        if settings.embedding.embed_copy:
            CopyVectors(catalog, embedder, settings.declared_fields()).embed_missing(progress)
        generations = Generations(settings.data_dir / "generations")
        folder = generations.begin()
        _write_manifest(folder, settings, embedder.facts.key)
        lexical = _new_lexical(folder / "lexical", settings)
        LexicalFollower(catalog, lexical).catch_up()
        lexical.close()
        built = _build_vectors(settings, catalog, embedder, folder)
        if all(part.published for part in built.values()):
            generations.publish(folder)
        return built


def _build_vectors(
    settings: Settings, catalog: SqliteCatalog, embedder: Embedder, folder: Path
) -> dict[Subject, Rebuilt]:
    """Build the vector indexes of the generation in the folder anew."""
    stores = open_vector_stores(settings, folder, configured_plan(settings))
    return {
        subject: store.upkeep(catalog, embedder.texts).rebuild()
        for subject, store in stores.items()
    }


def rebuild_vectors(settings: Settings) -> dict[Subject, Rebuilt]:
    """Build the vector indexes of the serving generation anew, as the settings have them.

    A service over the same folder goes on, and takes the new ones when they are whole. Raises
    ``IndexMissing`` and, while another process builds one, ``IndexLocked``.
    """
    with closing(SqliteCatalog(settings.data_dir / "catalog.sqlite", read_only=True)) as catalog:
        embedder = LazyEmbedder(lambda: _load_embedder(settings))
        folder = _generation(settings, embedder, write=False)
        embedder.expect(read_manifest(folder).model)
        return _build_vectors(settings, catalog, embedder, folder)


@dataclass(frozen=True, slots=True)
class VectorCorpus:
    """What experiments with vector indexes need: the vectors, texts, and how to make an index."""

    catalog: SqliteCatalog
    model: str
    texts: Callable[[list[str]], Vectors]
    plan: VectorPlan

    def read(self) -> AbstractContextManager[LiveVectors]:
        """All live vectors, as of now."""
        return self.catalog.live_vectors(self.model, Ordinal(0))

    def make(self, plan: VectorPlan, folder: Path) -> FaissIndex:
        """The index that is sealed in the folder, empty where none is."""
        return vector_index(self.model, folder, plan)


@contextmanager
def open_vectors(settings: Settings) -> Iterator[VectorCorpus]:
    """The vectors of the serving generation, read beside whoever writes them.

    Raises ``IndexMissing`` without an index.
    """
    with closing(SqliteCatalog(settings.data_dir / "catalog.sqlite", read_only=True)) as catalog:
        embedder = LazyEmbedder(lambda: _load_embedder(settings))
        model = read_manifest(_generation(settings, embedder, write=False)).model
        embedder.expect(model)
        yield VectorCorpus(catalog, model, embedder.texts, configured_plan(settings))


def _lock(data_dir: Path, stack: ExitStack, hint: str = "") -> None:
    data_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(data_dir / "writer.lock", timeout=0)
    try:
        stack.enter_context(lock)
    except Timeout:
        raise IndexLocked(
            f"another process writes to {data_dir}; stop it, or write through its service{hint}"
        ) from None


def _load_embedder(settings: Settings) -> Embedder:
    # Torch takes seconds to import, and most commands embed nothing.
    from hybrid_search.adapters.clip_embedder import ClipEmbedder, ModelChoice  # noqa: PLC0415

    section = settings.embedding
    choice = ModelChoice(section.model, section.pretrained, section.batch_size, section.threads)
    return ClipEmbedder(choice)


@contextmanager
def scratch_index(settings: Settings) -> Iterator[TantivyIndex]:
    """An empty lexical index with the configured analyser, gone at the end of the context."""
    with tempfile.TemporaryDirectory() as folder:
        index = _new_lexical(Path(folder), settings)
        with closing(index):
            yield index


def _new_lexical(folder: Path, settings: Settings) -> TantivyIndex:
    return TantivyIndex(folder, make_analyzer(settings), fields=settings.declared_fields())


@cache
def _kiwi(user_words: tuple[str, ...]) -> KiwiAnalyzer:
    """One dictionary in memory for all indexes that use the same words."""
    return KiwiAnalyzer(user_words)


def make_analyzer(settings: Settings) -> Analyzer:
    """The configured analyser."""
    if settings.lexical.analyzer == "rules":
        return RulesAnalyzer()
    return _kiwi(settings.lexical.user_words)


def _synonyms(settings: Settings) -> SynonymFile:
    named = settings.lexical.synonyms
    if named is not None and not named.is_file():
        raise InvalidConfig(f"lexical.synonyms: no file at {named}")
    return SynonymFile(named or settings.data_dir / "synonyms.txt")


def _generation(settings: Settings, embedder: LazyEmbedder, *, write: bool) -> Path:
    """The folder of the generation that serves; a writer makes the first one."""
    generations = Generations(settings.data_dir / "generations")
    folder = generations.current()
    if folder is None and not write:
        raise IndexMissing(f"no index in {settings.data_dir}; run: hybrid-search ingest PATH")
    if folder is None:
        folder = generations.begin()
        _write_manifest(folder, settings, embedder.facts.key)
        generations.publish(folder)
    if write and not settings.embedding.embed_copy:
        _forget_copy(folder)
    return folder


def _forget_copy(folder: Path) -> None:
    """Say that the generation's vectors of copy are not whole: what comes in now gets none."""
    manifest = read_manifest(folder)
    if manifest.copy:
        write_manifest(folder, replace(manifest, copy=""))


def _write_manifest(folder: Path, settings: Settings, model: str) -> None:
    copy = copy_key(model, settings.declared_fields()) if settings.embedding.embed_copy else ""
    write_manifest(folder, Manifest(make_analyzer(settings).fingerprint, model, copy))
