"""The one place that names concrete adapters: settings in, a running engine out."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
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
from hybrid_search.decoding import Decoders
from hybrid_search.durable import Generations
from hybrid_search.encoding import LazyEmbedder, QueryEncoder
from hybrid_search.errors import IndexLocked, IndexMissing, IndexUnusable, InvalidConfig
from hybrid_search.following import LexicalFollower, VectorFollower
from hybrid_search.generations import Manifest, read_manifest, write_manifest
from hybrid_search.ingest import Indexer
from hybrid_search.picture_encoding import PictureEncoder
from hybrid_search.ports import Embedder, LiveVectors, Rebuilt, Vectors
from hybrid_search.records import Ordinal, Query
from hybrid_search.retrieval import Retriever
from hybrid_search.search import Searcher
from hybrid_search.text.analysis import Analyzer
from hybrid_search.text.kiwi import KiwiAnalyzer
from hybrid_search.text.rules import RulesAnalyzer
from hybrid_search.text.synonyms import SynonymFile
from hybrid_search.upkeep import AtOnce, InBackground, Upkeep, Worker
from hybrid_search.vector_plans import VectorPlan


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that runs over one data folder. Close it, or use it as a context."""

    settings: Settings
    catalog: SqliteCatalog
    pictures: FolderPictures
    lexical: TantivyIndex
    vectors: FaissIndex
    embedder: LazyEmbedder
    encoder: QueryEncoder
    searcher: Searcher
    upkeep: Worker | None
    """What looks after the vector index; ``None`` when the engine was opened for reading."""
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

    What a writer's vector index needs is done after each write, or in the ``background``.

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
        stores = _open_stores(settings, catalog, embedder, folder, _plan(settings, background))
        stack.callback(stores.lexical.close)
        encoder = QueryEncoder(embedder, settings.embedding.cached_queries)
        worker, indexer = _writing(settings, stores, stack, background) if write else (None, None)
        return Engine(
            settings=settings,
            catalog=catalog,
            pictures=stores.pictures,
            lexical=stores.lexical,
            vectors=stores.vectors,
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
    vectors: FaissIndex
    follower: VectorFollower
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
    vectors = FaissIndex(_dimension(model), folder / "vectors", plan)
    follower = VectorFollower(catalog, vectors, model)
    pictures = FolderPictures(settings.data_dir / "pictures", settings.pictures.limits())
    return _Stores(catalog, pictures, lexical, vectors, follower, embedder, model)


def _writing(
    settings: Settings, stores: _Stores, stack: ExitStack, background: bool
) -> tuple[Worker, Indexer]:
    """What writes, and what looks after the vector index; both at the catalog's last operation."""
    upkeep = Upkeep(stores.catalog, stores.vectors, stores.model, stores.embedder.texts)
    worker = InBackground(upkeep) if background else AtOnce(upkeep)
    stack.callback(worker.close)
    indexer = Indexer(
        catalog=stores.catalog,
        pictures=stores.pictures,
        encoder=_picture_encoder(settings, stores.catalog, stores.embedder, stack),
        followers=(LexicalFollower(stores.catalog, stores.lexical), stores.follower),
        fields=settings.declared_fields(),
        written=worker.notify,
        batch_size=settings.ingest.batch_size,
    )
    stack.callback(indexer.close)
    indexer.catch_up()
    worker.notify()
    return worker, indexer


def _picture_encoder(
    settings: Settings, catalog: SqliteCatalog, embedder: Embedder, stack: ExitStack
) -> PictureEncoder:
    decoders = Decoders(settings.pictures.limits(), settings.ingest.workers)
    stack.callback(decoders.close)
    return PictureEncoder(catalog, embedder, decoders)


def _searcher(settings: Settings, stores: _Stores, encoder: QueryEncoder) -> Searcher:
    retriever = Retriever(
        catalog=stores.catalog,
        lexical=stores.lexical,
        vectors=stores.vectors,
        follower=stores.follower,
        encoder=encoder,
        limits=settings.pictures.limits(),
        fields=settings.declared_fields(),
    )
    return Searcher(
        catalog=stores.catalog,
        lexical=stores.lexical,
        retriever=retriever,
        fusion=settings.fusion.settings(),
    )


def rebuild(settings: Settings, progress: Callable[[int, int], None] | None = None) -> Rebuilt:
    """Build a new generation from the catalog with the configured analyser and model.

    Only pictures without a vector of that model are embedded. The old generation serves until
    the new one is whole, and goes on serving when the new vector index finds too little.
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
        _picture_encoder(settings, catalog, embedder, stack).embed_missing(pictures, progress)
        generations = Generations(settings.data_dir / "generations")
        folder = generations.begin()
        _write_manifest(folder, settings, embedder.facts.key)
        lexical = _new_lexical(folder / "lexical", settings)
        LexicalFollower(catalog, lexical).catch_up()
        lexical.close()
        model = embedder.facts.key
        vectors = FaissIndex(_dimension(model), folder / "vectors", _plan(settings))
        built = Upkeep(catalog, vectors, model, embedder.texts).rebuild()
        if built.published:
            generations.publish(folder)
        return built


def rebuild_vectors(settings: Settings) -> Rebuilt:
    """Build the vector index of the serving generation anew, as the settings have it.

    A service over the same folder goes on, and takes the new index when it is whole. Raises
    ``IndexMissing`` and, while another process builds one, ``IndexLocked``.
    """
    with closing(SqliteCatalog(settings.data_dir / "catalog.sqlite", read_only=True)) as catalog:
        embedder = LazyEmbedder(lambda: _load_embedder(settings))
        folder = _generation(settings, embedder, write=False)
        model = read_manifest(folder).model
        embedder.expect(model)
        vectors = FaissIndex(_dimension(model), folder / "vectors", _plan(settings))
        return Upkeep(catalog, vectors, model, embedder.texts).rebuild()


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
        return FaissIndex(_dimension(self.model), folder, plan)


@contextmanager
def open_vectors(settings: Settings) -> Iterator[VectorCorpus]:
    """The vectors of the serving generation, read beside whoever writes them.

    Raises ``IndexMissing`` without an index.
    """
    with closing(SqliteCatalog(settings.data_dir / "catalog.sqlite", read_only=True)) as catalog:
        embedder = LazyEmbedder(lambda: _load_embedder(settings))
        model = read_manifest(_generation(settings, embedder, write=False)).model
        embedder.expect(model)
        yield VectorCorpus(catalog, model, embedder.texts, _plan(settings))


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
    # Waiting threads of a forward pass would spin, and take the cores that decoders need.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Torch takes seconds to import, and most commands embed nothing.
    from hybrid_search.adapters.clip_embedder import ClipEmbedder, ModelChoice  # noqa: PLC0415

    section = settings.embedding
    choice = ModelChoice(section.model, section.pretrained, section.batch_size, section.threads)
    return ClipEmbedder(choice)


def _plan(settings: Settings, background: bool = False) -> VectorPlan:
    plan = VectorPlan(**settings.vector.model_dump())
    threads = plan.build_threads or (1 if background else os.cpu_count() or 1)
    memory = plan.memory_mb or _half_of_the_memory()
    return replace(plan, build_threads=threads, memory_mb=memory)


def _half_of_the_memory() -> int:
    """In megabytes; 0, which sets no limit, where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2 >> 20
    except (AttributeError, ValueError, OSError):
        return 0


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
    return folder


def _write_manifest(folder: Path, settings: Settings, model: str) -> None:
    write_manifest(folder, Manifest(make_analyzer(settings).fingerprint, model))


def _dimension(model: str) -> int:
    """The dimension that a model's key ends in."""
    return int(model.rsplit("/", 1)[-1])
