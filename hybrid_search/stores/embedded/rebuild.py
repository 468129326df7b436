"""Build new generations from the catalog, beside the serving one, and publish them when complete.

A service over the same folder keeps serving and writing, and switches to the new generation by
itself.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hybrid_search.analysis.factory import make_analyzer
from hybrid_search.core import Ordinal
from hybrid_search.core.errors import IndexMissing, InvalidConfig
from hybrid_search.core.ports import LiveVectors, Rebuilt, Subject, Vectors
from hybrid_search.core.similarity_baseline import SimilarityBaseline
from hybrid_search.embedding.loader import load_embedder
from hybrid_search.embedding.query_encoder import LazyEmbedder
from hybrid_search.files.quarantine import Repairs
from hybrid_search.files.versioned_dirs import VersionedDirs
from hybrid_search.images.decoder_pool import Decoders
from hybrid_search.settings.sections import EmbeddingSection
from hybrid_search.settings.settings import Settings
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.data_folder import (
    CATALOG,
    DataFolder,
    Shared,
    embedder_of,
    embedding_of,
    lock,
    open_catalog,
    open_lexical,
    open_pictures,
)
from hybrid_search.stores.embedded.manifest import (
    Manifest,
    new_manifest,
    read_manifest,
    write_manifest,
)
from hybrid_search.stores.embedded.vector.index import FaissIndex
from hybrid_search.stores.embedded.vector.index_spec import VectorPlan
from hybrid_search.stores.embedded.vector_indexes import (
    configured_plan,
    open_vector_stores,
    vector_index,
)
from hybrid_search.stores.local.log_replay import LexicalReplay

Built = Mapping[Subject, Rebuilt]
"""The result for each vector index."""
Baselines = Mapping[Subject, SimilarityBaseline | None]
"""The baseline of each vector index; ``None`` where it has too few vectors."""
Progress = Callable[[int, int], None]
"""Called with the number of pictures embedded, and the total."""
Measure = Callable[[Shared, Path], float]
"""The quality of the generation in a folder; more is better."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The condition for a new generation to serve."""

    measure: Measure
    margin: float
    """How much lower its quality may be than that of the serving generation."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The quality of two generations."""

    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Swapped:
    """The result of a change of the model."""

    model: str
    before: str
    built: Built
    """The results for its vector indexes; empty if they existed already."""
    judged: Judged | None
    published: bool


def rebuild(settings: Settings, progress: Progress | None = None) -> Built:
    """Build a new generation from the catalog with the configured analyzer and model.

    Only pictures and texts without a vector of that model are embedded. The old generation serves
    until the new one is complete, and longer if a vector index has too low a recall. Raises
    ``IndexMissing`` without a catalog and ``IndexLocked`` while another process builds.
    """
    with _building(settings) as (shared, generations):
        section = embedding_of(settings, _served(generations))
        with _aside(generations) as folder:
            built = _build(shared, folder, section, progress)
            if _recall_suffices(built):
                generations.publish(folder)
            return built


def use_model(
    settings: Settings,
    model: str,
    pretrained: str | None = None,
    gate: Gate | None = None,
    progress: Progress | None = None,
) -> Swapped:
    """Embed everything with another model in a new generation, then switch to it.

    With a ``gate``, both generations are measured first, and the old one stays if the new one is
    worse by more than the margin. Raises as ``rebuild`` does, and ``InvalidConfig`` for a model
    that cannot be loaded, or if the settings name another.
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
            published = _recall_suffices(built) and good
            if published:
                generations.publish(folder)
            return Swapped(*models, built, judged, published)


def roll_back(settings: Settings, progress: Progress | None = None) -> Swapped:
    """Switch back to the generation before; a second call switches forward again.

    What was written meanwhile is embedded by its model first. Raises ``IndexMissing`` if there is
    none, and as ``use_model`` does.
    """
    with _building(settings) as (shared, generations):
        served, previous = generations.current(), generations.previous()
        if served is None or previous is None:
            raise IndexMissing("model: there is no generation before this one")
        manifest = read_manifest(previous)
        embedder = load_embedder(embedding_of(settings, manifest))
        LazyEmbedder(lambda: embedder).expect(manifest.model)
        shared.embed_missing(embedder, text=bool(manifest.copy), progress=progress)
        generations.point_to(previous)
        return Swapped(manifest.model, read_manifest(served).model, {}, None, published=True)


def rebuild_vectors(settings: Settings) -> Built:
    """Rebuild the vector indexes of the serving generation with the current settings.

    A service over the same folder keeps serving, and opens the new segments when they are complete.
    Raises ``IndexMissing``, and ``IndexLocked`` while another process builds one.
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
    """Measure the similarity baselines of the serving generation.

    A service over the same folder uses them within a second. Raises ``IndexMissing``.
    """
    with _reading(settings) as (catalog, folder, embedder):
        return _calibrate(settings, catalog, folder, embedder.texts)


@dataclass(frozen=True, slots=True)
class VectorCorpus:
    """The vectors of an index, for experiments with vector indexes."""

    catalog: SqliteCatalog
    model: str
    texts: Callable[[list[str]], Vectors]
    plan: VectorPlan

    def read(self) -> AbstractContextManager[LiveVectors]:
        """All live picture vectors, in one version."""
        return self.catalog.live_vectors(self.model, Ordinal(0))

    def make(self, plan: VectorPlan, folder: Path) -> FaissIndex:
        """Open the index in the folder, empty if it has no segment."""
        return vector_index(self.model, folder, plan)


@contextmanager
def open_vectors(settings: Settings) -> Iterator[VectorCorpus]:
    """The vectors of the serving generation, which may be written meanwhile.

    Raises ``IndexMissing`` without an index.
    """
    with _reading(settings) as (catalog, folder, embedder):
        model = read_manifest(folder).model
        yield VectorCorpus(catalog, model, embedder.texts, configured_plan(settings))


def _build(
    shared: Shared, folder: Path, section: EmbeddingSection, progress: Progress | None
) -> Built:
    """Build the generation in the folder."""
    settings, catalog = shared.settings, shared.data.catalog
    embedder, fields = load_embedder(section), settings.declared_fields()
    analyzer = make_analyzer(settings).fingerprint
    write_manifest(folder, new_manifest(analyzer, embedder.facts.key, fields, section))
    with closing(open_lexical(settings, folder, write=True)) as lexical:
        LexicalReplay(catalog, lexical).catch_up()
    # Versions added from here on may have no vector yet; replay has to add them later.
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
    """Measure the baselines of the generation in the folder, over all live vectors."""
    stores = open_vector_stores(settings, folder, configured_plan(settings))
    for store in stores.values():
        store.replay(catalog).load()
    return {subject: store.calibrator(texts).calibrate() for subject, store in stores.items()}


def _recall_suffices(built: Built) -> bool:
    """Whether the segment of each index was published."""
    return all(part.published for part in built.values())


def _judge(shared: Shared, folders: tuple[Path, Path], gate: Gate) -> Judged:
    return Judged(*(gate.measure(shared, folder) for folder in folders))


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
def _building(settings: Settings) -> Iterator[tuple[Shared, VersionedDirs]]:
    """The open data folder and its generations, locked against other builders."""
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
        yield Shared(data, decoders), VersionedDirs(root)


@contextmanager
def _aside(generations: VersionedDirs) -> Iterator[Path]:
    """A folder for a new generation, removed at the end unless it was published."""
    folder = generations.begin()
    try:
        yield folder
    finally:
        # A published folder has another name.
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _reading(settings: Settings) -> Iterator[tuple[SqliteCatalog, Path, LazyEmbedder]]:
    """The catalog, the folder of the serving generation, and its model."""
    with closing(open_catalog(settings, write=False)) as catalog:
        folder = VersionedDirs(settings.data_dir / "generations").current()
        if folder is None:
            raise IndexMissing(f"no index in {settings.data_dir}; run: hybrid-search ingest PATH")
        yield catalog, folder, embedder_of(settings, folder)


def _served(generations: VersionedDirs) -> Manifest | None:
    folder = generations.current()
    return None if folder is None else read_manifest(folder)
