"""A whole store in memory, for tests and experiments that want no files."""

from __future__ import annotations

from collections.abc import Mapping

from hybrid_search.analysis.analyzer import Analyzer
from hybrid_search.core import ListName
from hybrid_search.core.candidate_lists import LISTS
from hybrid_search.core.field_schema import UNDECLARED, Fields
from hybrid_search.core.ports.catalog import Subject
from hybrid_search.stores.local.list_retriever import VectorSource
from hybrid_search.stores.local.log_replay import LexicalReplay, VectorReplay
from hybrid_search.stores.local.store import Indexes, LocalStore
from hybrid_search.stores.memory.catalog import MemoryCatalog
from hybrid_search.stores.memory.lexical import MemoryLexical
from hybrid_search.stores.memory.vectors import MemoryVectors

_SUBJECTS: Mapping[str, Subject] = {"picture_vectors": "picture", "text_vectors": "copy"}


def memory_store(
    analyzer: Analyzer, keys: Mapping[Subject, str], fields: Fields = UNDECLARED
) -> LocalStore:
    """An empty store.

    ``keys`` names the vectors of pictures and of text in the catalog; each ends in its dimension.
    """
    catalog, lexical = MemoryCatalog(), MemoryLexical(analyzer, fields)
    vectors = {s: MemoryVectors(int(key.rsplit("/", 1)[-1])) for s, key in keys.items()}
    replays = [VectorReplay(catalog, vectors[s], key, s) for s, key in keys.items()]

    def sources() -> dict[ListName, VectorSource]:
        subjects = {name: _SUBJECTS.get(spec.source) for name, spec in LISTS.items()}
        found = {name: vectors.get(s) for name, s in subjects.items() if s is not None}
        return {
            name: VectorSource(index.snapshot())
            for name, index in found.items()
            if index is not None
        }

    return LocalStore(
        Indexes(
            catalog=catalog,
            lexical=lexical,
            sources=sources,
            fields=fields,
            unavailable={},
            vector_replays=replays,
            lexical_replay=LexicalReplay(catalog, lexical),
        )
    )
