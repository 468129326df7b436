"""New generations: built aside from the catalog, and let serve when they are whole.

A service over the same folder goes on answering and writing, and takes the new generation over
by itself.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hybrid_search.core import Ordinal
from hybrid_search.core.errors import IndexMissing, InvalidConfig
from hybrid_search.core.ports import LiveVectors, Rebuilt, Subject, Vectors
from hybrid_search.core.similarity_baseline import SimilarityBaseline
from hybrid_search.embedding.query_encoder import LazyEmbedder
from hybrid_search.engine.factory import lock
from hybrid_search.engine.generation import Shared, embedder_of, open_generation
from hybrid_search.engine.parts import (
    CATALOG,
    embedding_of,
    load_embedder,
    make_analyzer,
    open_catalog,
    open_lexical,
    open_pictures,
)
from hybrid_search.files.quarantine import Repairs
from hybrid_search.files.versioned_dirs import GenerationFolders
from hybrid_search.images.decoder_pool import Decoders
from hybrid_search.search.searcher import Searcher
from hybrid_search.settings.sections import EmbeddingSection
from hybrid_search.settings.settings import Settings
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.manifest import (
    Manifest,
    new_manifest,
    read_manifest,
    write_manifest,
)
from hybrid_search.stores.embedded.store import DataFolder
from hybrid_search.stores.embedded.vector.index import FaissIndex
from hybrid_search.stores.embedded.vector.index_spec import VectorPlan
from hybrid_search.stores.embedded.vector_indexes import (
    configured_plan,
    open_vector_stores,
    vector_index,
)
from hybrid_search.stores.local.log_replay import LexicalReplay

Built = Mapping[Subject, Rebuilt]
"""What became of each vector index."""
Baselines = Mapping[Subject, SimilarityBaseline | None]
"""What was measured of each vector index; ``None`` where it has too few vectors."""
Progress = Callable[[int, int], None]
"""Told how many pictures are embedded, of how many."""
Measure = Callable[[Searcher, SqliteCatalog], float]
"""How good the answers of a searcher are; more is better."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What a new generation must reach to serve."""

    measure: Measure
    margin: float
    """By how much it may be worse than the one that serves."""


@dataclass(frozen=True, slots=True)
class Judged:
    """How good two generations were found to be."""

    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Swapped:
    """What became of a change of the model."""

    model: str
    before: str
    built: Built
    """Of its vector indexes; empty when they were there already."""
    judged: Judged | None
    published: bool


def rebuild(settings: Settings, progress: Progress | None = None) -> Built:
    """Build a new generation from the catalog with the configured analyser and model.

    Only pictures and copy without a vector of that model are embedded. The old generation serves
    until the new one is whole, and goes on serving when a vector index finds too little. Raises
    ``IndexMissing`` without a catalog and ``IndexLocked`` while another process builds.
    """
    with _building(settings) as (shared, generations):
        section = embedding_of(settings, _served(generations))
        with _aside(generations) as folder:
            built = _build(shared, folder, section, progress)
            if _whole(built):
                generations.publish(folder)
            return built


def use_model(
    settings: Settings,
    model: str,
    pretrained: str | None = None,
    gate: Gate | None = None,
    progress: Progress | None = None,
) -> Swapped:
    """Embed everything with another model, aside, and let it serve from then on.

    With a ``gate`` both generations are measured first, and the old one goes on serving when
    the new one is worse by more than the margin. Raises as ``rebuild`` does, and
    ``InvalidConfig`` for a model that cannot be had or where the settings name another.
    """
    section = _asked(settings, model, pretrained)
    with _building(settings) as (shared, generations):
        served = generations.current()
        if served is None:
            raise IndexMissing(f"no index in {settings.data_dir}; run: hybrid-search ingest PATH")
        with _aside(generations) as folder:
            built = _build(shared, folder, section, progress)
            judged = _judge(shared, (served, folder), gate) if gate else None
            good = judged is None or gate is None or judged.after >= judged.before - gate.margin
            models = read_manifest(folder).model, read_manifest(served).model
            published = _whole(built) and good
            if published:
                generations.publish(folder)
            return Swapped(*models, built, judged, published)


def roll_back(settings: Settings, progress: Progress | None = None) -> Swapped:
    """Let the generation serve that served before; again, and the later one serves once more.

    What came in meanwhile is embedded by its model first. Raises ``IndexMissing`` when there is
    none, and as ``use_model`` does.
    """
    with _building(settings) as (shared, generations):
        served, previous = generations.current(), generations.previous()
        if served is None or previous is None:
            raise IndexMissing("model: no generation has served before this one")
        manifest = read_manifest(previous)
        embedder = load_embedder(embedding_of(settings, manifest))
        LazyEmbedder(lambda: embedder).expect(manifest.model)
        shared.embed_missing(embedder, text=bool(manifest.copy), progress=progress)
        generations.point_to(previous)
        return Swapped(manifest.model, read_manifest(served).model, {}, None, published=True)


def rebuild_vectors(settings: Settings) -> Built:
    """Build the vector indexes of the serving generation anew, as the settings have them.

    A service over the same folder goes on, and takes the new ones when they are whole. Raises
    ``IndexMissing`` and, while another process builds one, ``IndexLocked``.
    """
    with _reading(settings) as (catalog, folder, embedder):
        stores = open_vector_stores(settings, folder, configured_plan(settings))
        built = {
            subject: store.maintenance(catalog, embedder.texts).rebuild()
            for subject, store in stores.items()
        }
        _calibrate(settings, catalog, folder, embedder.texts)
        return built


def calibrate(settings: Settings) -> Baselines:
    """Measure anew what is usual among the vectors of the serving generation.

    A service over the same folder takes it over within a second. Raises ``IndexMissing``.
    """
    with _reading(settings) as (catalog, folder, embedder):
        return _calibrate(settings, catalog, folder, embedder.texts)


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
    with _reading(settings) as (catalog, folder, embedder):
        model = read_manifest(folder).model
        yield VectorCorpus(catalog, model, embedder.texts, configured_plan(settings))


def _build(
    shared: Shared, folder: Path, section: EmbeddingSection, progress: Progress | None
) -> Built:
    """Fill the folder of a generation; whether its vectors are good enough to serve."""
    settings, catalog = shared.settings, shared.data.catalog
    embedder, fields = load_embedder(section), settings.declared_fields()
    analyzer = make_analyzer(settings).fingerprint
    write_manifest(folder, new_manifest(analyzer, embedder.facts.key, fields, section))
    with closing(open_lexical(settings, folder, write=True)) as lexical:
        LexicalReplay(catalog, lexical).catch_up()
    # What is added from here on has no vector yet, and its ordinals must not be passed over.
    newest = next(iter(catalog.newest(1)), Ordinal(0))
    shared.embed_missing(embedder, text=section.embed_copy, progress=progress)
    vectors = open_vector_stores(settings, folder, configured_plan(settings))
    built = {
        subject: store.maintenance(catalog, embedder.texts).rebuild(newest)
        for subject, store in vectors.items()
    }
    _calibrate(settings, catalog, folder, embedder.texts)
    return built


def _calibrate(
    settings: Settings,
    catalog: SqliteCatalog,
    folder: Path,
    texts: Callable[[list[str]], Vectors],
) -> Baselines:
    """Measure what is usual among all vectors that the generation in the folder has."""
    stores = open_vector_stores(settings, folder, configured_plan(settings))
    for store in stores.values():
        store.replay(catalog).load()
    return {subject: store.calibrator(texts).calibrate() for subject, store in stores.items()}


def _whole(built: Built) -> bool:
    """Whether each index finds what it must."""
    return all(part.published for part in built.values())


def _judge(shared: Shared, folders: tuple[Path, Path], gate: Gate) -> Judged:
    return Judged(*(_measured(shared, folder, gate.measure) for folder in folders))


def _measured(shared: Shared, folder: Path, measure: Measure) -> float:
    with closing(open_generation(shared, folder)) as serving:
        return measure(serving.searcher, shared.data.catalog)


def _asked(settings: Settings, model: str, pretrained: str | None) -> EmbeddingSection:
    section = settings.embedding
    asked = section.model_copy(update={"model": model, "pretrained": pretrained})
    named = "model" in section.model_fields_set
    if named and (section.model, section.pretrained) != (model, pretrained):
        raise InvalidConfig(
            f"embedding.model = {section.model!r}: the settings name it; remove it there, and the"
            " model of the index is the one that was last put to use"
        )
    return asked


@contextmanager
def _building(settings: Settings) -> Iterator[tuple[Shared, GenerationFolders]]:
    """The stores, whose catalog is given vectors, and generations that nobody else builds."""
    root = settings.data_dir / "generations"
    if not (settings.data_dir / CATALOG).is_file():
        raise IndexMissing(f"no index in {settings.data_dir}; run: hybrid-search ingest PATH")
    with ExitStack() as stack:
        reason = f"builds a generation in {settings.data_dir}; wait until it is done"
        lock(root / "building.lock", stack, reason)
        catalog = stack.enter_context(closing(open_catalog(settings, write=True)))
        limits, workers = settings.pictures.limits(), settings.ingest.workers
        decoders = stack.enter_context(closing(Decoders(limits, workers)))
        repairs = Repairs(settings.data_dir / "damaged")
        data = DataFolder(settings, catalog, open_pictures(settings), repairs)
        yield Shared(data, decoders), GenerationFolders(root)


@contextmanager
def _aside(generations: GenerationFolders) -> Iterator[Path]:
    """A folder for the next generation, gone at the end unless it was published."""
    folder = generations.begin()
    try:
        yield folder
    finally:
        # Published, it has another name.
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _reading(settings: Settings) -> Iterator[tuple[SqliteCatalog, Path, LazyEmbedder]]:
    """The catalog, the generation that serves, and its model."""
    with closing(open_catalog(settings, write=False)) as catalog:
        folder = GenerationFolders(settings.data_dir / "generations").current()
        if folder is None:
            raise IndexMissing(f"no index in {settings.data_dir}; run: hybrid-search ingest PATH")
        yield catalog, folder, embedder_of(settings, folder)


def _served(generations: GenerationFolders) -> Manifest | None:
    folder = generations.current()
    return None if folder is None else read_manifest(folder)
