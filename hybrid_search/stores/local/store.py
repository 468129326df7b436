"""A store of separate indexes in one process, all fed by the catalog's log of operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hybrid_search.core import AssetId, Digest, ListName, Note, Ordinal
from hybrid_search.core.field_schema import Fields
from hybrid_search.core.ports.catalog import Catalog, Draft
from hybrid_search.core.ports.lexical_index import LexicalIndex
from hybrid_search.stores.local.list_retriever import VectorSource
from hybrid_search.stores.local.log_replay import LexicalReplay, VectorReplay
from hybrid_search.stores.local.view import LocalView


@dataclass(frozen=True, slots=True)
class Indexes:
    """The parts of a local store."""

    catalog: Catalog
    lexical: LexicalIndex
    sources: Callable[[], Mapping[ListName, VectorSource]]
    """The vectors behind each list, as of now."""
    fields: Fields
    unavailable: Mapping[ListName, Note]
    vector_replays: Sequence[VectorReplay]
    lexical_replay: LexicalReplay | None = None
    """``None`` where another process writes the lexical index."""


class LocalStore:
    """A ``Store`` over one generation. Safe to call from several threads."""

    def __init__(self, indexes: Indexes, written: Callable[[], None] = lambda: None) -> None:
        """``written`` is called after each write."""
        self._indexes = indexes
        self._written = written
        self._behind = False

    @property
    def embeddings(self) -> Catalog:
        return self._indexes.catalog

    @property
    def unavailable(self) -> Mapping[ListName, Note]:
        """The candidate lists that this index cannot answer; reads nothing."""
        return self._indexes.unavailable

    def view(self) -> LocalView:
        self._refresh()
        parts = self._indexes
        return LocalView(
            catalog=parts.catalog,
            text=parts.lexical.snapshot(),
            vectors=parts.sources(),
            fields=parts.fields,
            version=self._version(),
            unavailable=parts.unavailable,
        )

    def contents(self, ids: Sequence[AssetId]) -> dict[AssetId, Digest]:
        return self._indexes.catalog.contents(ids)

    def put(self, drafts: Iterable[Draft]) -> list[Ordinal]:
        ordinals = self._indexes.catalog.put(list(drafts))
        self.catch_up()
        self._written()
        return ordinals

    def delete(self, ids: Sequence[AssetId]) -> list[AssetId]:
        deleted = self._indexes.catalog.delete(ids)
        self.catch_up()
        self._written()
        return deleted

    def catch_up(self) -> None:
        """Bring all indexes to the catalog's last operation."""
        self._behind = True
        if self._indexes.lexical_replay is not None:
            self._indexes.lexical_replay.catch_up()
        for replay in self._indexes.vector_replays:
            replay.catch_up()
        self._behind = False

    def settle(self) -> None:
        """Do nothing: each write is complete."""

    def recover(self) -> None:
        if self._behind:
            self.catch_up()

    def _refresh(self) -> None:
        """See what was written since, here or by another process."""
        behind = self._indexes.catalog.last_sequence() > self._version()
        if behind:
            self._indexes.lexical.refresh()
        for replay in self._indexes.vector_replays:
            if behind:
                replay.catch_up()
            replay.reload()

    def _version(self) -> int:
        """The last operation that every index has."""
        vectors = [replay.watermark for replay in self._indexes.vector_replays]
        return min([*vectors, self._indexes.lexical.snapshot().watermark])
