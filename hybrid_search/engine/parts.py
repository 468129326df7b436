"""What an engine is made of; this and ``vector_stores`` name concrete adapters."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

from hybrid_search.analysis.analyzer import Analyzer
from hybrid_search.analysis.kiwi import KiwiAnalyzer
from hybrid_search.analysis.rules import RulesAnalyzer
from hybrid_search.analysis.synonyms import SynonymFile
from hybrid_search.core.errors import InvalidConfig
from hybrid_search.core.ports import Embedder
from hybrid_search.images.store import FolderPictures
from hybrid_search.search.text_search import TextSearch
from hybrid_search.settings.sections import EmbeddingSection
from hybrid_search.settings.settings import Settings
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.catalog.query_log import SqliteQueryLog
from hybrid_search.stores.embedded.lexical.index import TantivyIndex
from hybrid_search.stores.embedded.manifest import Manifest

CATALOG = "catalog.sqlite"
"""The store of record in a data folder."""
LEXICAL = "lexical"
"""Where in a generation's folder the inverted index lies."""


def open_catalog(settings: Settings, *, write: bool) -> SqliteCatalog:
    """The store of record; with ``write``, created where missing."""
    return SqliteCatalog(settings.data_dir / CATALOG, read_only=not write)


def open_query_log(settings: Settings, *, write: bool) -> SqliteQueryLog:
    """The log of searches, in the catalog's file."""
    return SqliteQueryLog(settings.data_dir / CATALOG, read_only=not write)


def open_pictures(settings: Settings) -> FolderPictures:
    """The originals and their thumbnails."""
    return FolderPictures(settings.data_dir / "pictures", settings.pictures.limits())


def open_lexical(
    settings: Settings, folder: Path, *, write: bool, checked: bool = False
) -> TantivyIndex:
    """The inverted index of a generation; with ``write``, created where missing."""
    return TantivyIndex(
        folder / LEXICAL,
        make_analyzer(settings),
        fields=settings.declared_fields(),
        read_only=not write,
        checked=checked,
    )


def embedding_of(settings: Settings, manifest: Manifest | None) -> EmbeddingSection:
    """The settings of the model: the one that the index was built with, unless one is named."""
    section = settings.embedding
    if "model" in section.model_fields_set or manifest is None or not manifest.embedding:
        return section
    return section.model_copy(update=dict(manifest.embedding))


def load_embedder(section: EmbeddingSection) -> Embedder:
    """The model, loaded; raises ``InvalidConfig`` for one that cannot be had."""
    # Waiting threads of a forward pass would spin, and take the cores that decoders need.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    choice = section.choice()
    # Torch takes seconds to import, and most commands embed nothing.
    if choice.source == "embedded" and choice.precision != "bf16":
        from hybrid_search.embedding.packaged import PackagedEmbedder  # noqa: PLC0415

        return PackagedEmbedder(choice)
    from hybrid_search.embedding.clip import ClipEmbedder  # noqa: PLC0415

    return ClipEmbedder(choice)


def weights_cached(repository: str) -> bool:
    """Whether the weights of a repository on the hub were fetched to this machine before."""
    # The hub's library is slow to import, and only one command asks.
    from hybrid_search.embedding.hub_cache import is_cached  # noqa: PLC0415

    return is_cached(repository)


def make_analyzer(settings: Settings) -> Analyzer:
    """The configured analyser."""
    if settings.lexical.analyzer == "rules":
        return RulesAnalyzer()
    return _kiwi(settings.lexical.user_words)


@contextmanager
def scratch_index(settings: Settings) -> Iterator[TextSearch]:
    """An empty lexical index with the configured analyzer, removed at the end of the context."""
    with tempfile.TemporaryDirectory() as folder:
        analyzer, fields = make_analyzer(settings), settings.declared_fields()
        with closing(TantivyIndex(Path(folder), analyzer, fields=fields)) as index:
            yield TextSearch(index, analyzer, fields)


@cache
def _kiwi(user_words: tuple[str, ...]) -> KiwiAnalyzer:
    """One dictionary in memory for all indexes that use the same words."""
    return KiwiAnalyzer(user_words)


def open_synonyms(settings: Settings) -> SynonymFile:
    """The configured synonyms, else those of the data folder; none without a file."""
    named = settings.lexical.synonyms
    if named is not None and not named.is_file():
        raise InvalidConfig(f"lexical.synonyms: no file at {named}")
    return SynonymFile(named or settings.data_dir / "synonyms.txt")
