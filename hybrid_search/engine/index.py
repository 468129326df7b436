"""The object that ``open_index`` returns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Unpack

from hybrid_search.core import (
    Asset,
    AssetId,
    Digest,
    Explanation,
    FacetValue,
    Ordinal,
    Query,
    SearchResult,
    StoredAsset,
)
from hybrid_search.core.errors import (
    IndexUnusable,
    SearchError,
    UnknownAsset,
)
from hybrid_search.core.periodic import Periodic
from hybrid_search.embedding.query_encoder import LazyEmbedder
from hybrid_search.engine.generation import Generation, open_generation
from hybrid_search.files.versioned_dirs import Hold, VersionedDirs
from hybrid_search.images.near_duplicates import Duplicate, Duplicates
from hybrid_search.search.explain import explain
from hybrid_search.search.query_fields import QueryFields, make_example, make_query
from hybrid_search.search.retriever import Retrieval
from hybrid_search.search.searcher import Searcher, Suggested
from hybrid_search.settings.settings import Settings
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.data_folder import Shared, embedder_of
from hybrid_search.stores.embedded.manifest import read_manifest

if TYPE_CHECKING:
    from hybrid_search.ingest.pipeline import Indexer, IngestReport, Target

_EVERY = 0.5
"""Seconds between checks for a generation that another process has published."""
_AGAIN = 2.0
"""Seconds between attempts to recover a failed write."""


class Index:
    """An opened index: search it, write to it, close it. Safe to use from several threads.

    Use it as a context manager. The serving generation may change while it is open; one search is
    answered by one generation, and sees every write that returned before it.
    """

    def __init__(
        self, shared: Shared, serving: Generation, indexer: Indexer | None, closing: ExitStack
    ) -> None:
        self.shared = shared
        """What all generations share."""
        self._serving = serving
        self._closing = closing
        self._switching = threading.Lock()
        self._following: list[Periodic] = []
        self.indexer = indexer
        """``None`` when the index was opened for reading."""
        self._duplicates = Duplicates(shared.data.catalog, shared.data.pictures)
        self.trouble = ""
        """Why the newest generation could not be opened; mostly empty."""

    @property
    def settings(self) -> Settings:
        """The settings that the index was opened with."""
        return self.shared.settings

    @property
    def catalog(self) -> SqliteCatalog:
        """The store of record."""
        return self.shared.data.catalog

    @property
    def serving(self) -> Generation:
        """The generation that answers searches now."""
        return self._serving

    @property
    def searcher(self) -> Searcher:
        """Answers queries over the serving generation."""
        return self._serving.searcher

    @property
    def repairs(self) -> tuple[str, ...]:
        """What was found damaged since the index was opened, and repaired."""
        return tuple(self.shared.data.repairs.done)

    # ------------------------------------------------------------------------------ search

    def search(self, query: str | Query = "", **fields: Unpack[QueryFields]) -> SearchResult:
        """One page of hits, best first.

        ``query`` is a text in the query language, or a whole ``Query``; ``fields`` set its other
        fields. Raises ``InvalidQuery``, and ``UnknownAsset`` for an example that is not indexed.
        """
        return self.searcher.search(make_query(query, fields))

    def similar(self, like: str | bytes | Path, **fields: Unpack[QueryFields]) -> SearchResult:
        """Assets that look like an indexed one (its id), or like a picture (bytes or a path)."""
        return self.search(Query(examples=(make_example(like),)), **fields)

    def suggest(self, typed: str, size: int = 10) -> Suggested:
        """Completions of the typed text, and corrections of it; raises ``InvalidQuery``."""
        return self.searcher.suggest(typed, size)

    def facets(
        self, *names: str, query: str | Query = "", **fields: Unpack[QueryFields]
    ) -> Mapping[str, tuple[FacetValue, ...]]:
        """The values of each field over all matches, those of most assets first."""
        return self.search(replace(make_query(query, fields), facets=names, size=1)).facets

    def explain(
        self, asset_id: str, query: str | Query = "", **fields: Unpack[QueryFields]
    ) -> Explanation:
        """Why the asset ranks where it does for the query, or is not found.

        Raises ``InvalidQuery``, and ``UnknownAsset`` for an id that is not indexed.
        """
        return explain(self.searcher, make_query(query, fields), self.find(asset_id))

    def retrieve(self, query: str | Query = "", **fields: Unpack[QueryFields]) -> Retrieval:
        """The candidate lists before fusion, as columns: what fusion settings are compared on."""
        return self.searcher.retrieve(make_query(query, fields))

    def get(self, asset_id: str) -> Asset | None:
        """The asset with that id; ``None`` when there is none."""
        stored = self.catalog.find(AssetId(asset_id))
        return None if stored is None else stored.asset

    def find(self, asset_id: str, version: int | None = None) -> StoredAsset:
        """The live version of the asset, or the one with that number; raises ``UnknownAsset``."""
        if version is not None:
            return self._version(asset_id, Ordinal(version))
        stored = self.catalog.find(AssetId(asset_id))
        if stored is None:
            raise UnknownAsset(f"no asset has the id {asset_id[:100]!r}")
        return stored

    def _version(self, asset_id: str, version: Ordinal) -> StoredAsset:
        stored = self.catalog.fetch([version]).get(version)
        if stored is None or stored.asset.id != asset_id:
            raise UnknownAsset(f"the asset {asset_id[:100]!r} has no version {version}")
        return stored

    def versions(self, asset_id: str, limit: int = 50) -> list[StoredAsset]:
        """The stored versions of the asset, newest first; none of an id that was never used."""
        return self.catalog.versions(AssetId(asset_id), limit)

    def picture(self, stored: StoredAsset) -> bytes:
        """The picture of the version, as it was given; raises ``UnknownAsset`` without one."""
        return self.shared.data.pictures.read(_digest(stored))

    def thumbnail(self, stored: StoredAsset) -> bytes:
        """The picture of the version as a small WebP; raises ``UnknownAsset`` without one."""
        return self.shared.data.pictures.thumbnail(
            _digest(stored), self.settings.pictures.thumbnail
        )

    def duplicates(self, stored: StoredAsset) -> list[Duplicate]:
        """Live assets with a copy of its picture: identical ones first, then the nearest."""
        return self._duplicates.of(stored, self._serving.store.picture_vectors)

    # ------------------------------------------------------------------------------- write

    def add(self, assets: Iterable[Asset | Mapping[str, Any]]) -> IngestReport:
        """Store assets; durable and searchable when it returns.

        An asset is an ``Asset``, or a dict with the keys of a manifest row, whose ``image`` is a
        picture's bytes or its path. One with a known id replaces the earlier version, unchanged
        ones are left alone, and one that is not valid is skipped with a reason in the report.
        Raises ``IndexUnusable`` when the index was opened for reading.
        """
        from hybrid_search.ingest.rows import rows_of

        return self.writer().ingest(rows_of(assets, self.settings.pictures.max_bytes))

    def ingest(
        self, path: str | Path, progress: Callable[[IngestReport], None] | None = None
    ) -> IngestReport:
        """Store the rows of a manifest (JSONL, CSV, Parquet), or the pictures of a folder.

        ``progress`` is called after each batch. Raises ``InvalidInput`` for a path that is
        neither, and ``IndexUnusable`` when the index was opened for reading.
        """
        from hybrid_search.ingest.manifests import read_assets

        rows = read_assets(Path(path), self.settings.pictures.max_bytes)
        return self.writer().ingest(rows, progress)

    def delete(self, ids: Iterable[str]) -> list[AssetId]:
        """Delete assets; the ids that were there. Durable when it returns."""
        return self.writer().delete([AssetId(one) for one in ids])

    # ------------------------------------------------------------------------------ inside

    def writer(self) -> Indexer:
        """The indexing pipeline; raises ``IndexUnusable`` when opened for reading."""
        if self.indexer is None:
            raise IndexUnusable(
                "the index was opened for reading only; open it with read_only=False"
            )
        return self.indexer

    def embed_missing(self) -> None:
        """Give every live picture, and text if wanted, a vector of the serving model."""
        self._embed_missing(self._serving.folder, self.serving.embedder)

    def warm_up(self) -> None:
        """Load what the first search would load: the model, and Kiwi's dictionary."""
        self._serving.warm_up()

    def switch_to_newest(self) -> bool:
        """Serve the newest published generation; whether it is another one than before.

        Searches continue meanwhile; writes wait only for the switch itself. The process that writes
        first embeds the pictures that were stored since that generation was built; a process that
        reads waits for that.
        """
        with self._switching:
            held = VersionedDirs(self.settings.data_dir / "generations").hold()
            if held is None or held[0] == self._serving.folder:
                return False
            folder, hold = held
            embedder = embedder_of(self.settings, folder)
            old = self._serving
            if self.indexer is None:
                if self.catalog.unembedded(read_manifest(folder).model):
                    return False  # the process that writes is about to embed them
                self._switch(folder, hold, embedder)
            else:
                self._embed_missing(folder, embedder)
                self.indexer.turn_to(lambda: self._switch(folder, hold, embedder))
            old.close()
            self.trouble = ""
            return True

    def follow(self) -> None:
        """Keep switching to new generations and recovering failed writes, until it is closed."""
        self._following = [
            Periodic(self._try_to_switch, _EVERY).start(),
            Periodic(self._recover, _AGAIN).start(),
        ]

    def close(self) -> None:
        """Finish what runs and release the files."""
        with self._closing:
            for work in self._following:
                work.close()
            self._serving.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _switch(self, folder: Path, hold: Hold, embedder: LazyEmbedder) -> Target:
        """Serve that generation, at the catalog's last operation and warm."""
        if self.shared.data.write:
            self._embed_missing(folder, embedder)
        serving = open_generation(self.shared, folder, embedder, hold)
        serving.warm_up()
        self._serving = serving
        return serving.target(self.shared)

    def _embed_missing(self, folder: Path, embedder: LazyEmbedder) -> None:
        copy = bool(read_manifest(folder).copy) and self.settings.embedding.embed_copy
        self.shared.embed_missing(embedder, text=copy)

    def _try_to_switch(self) -> None:
        try:
            self.switch_to_newest()
        except SearchError as failure:
            self.trouble = str(failure)

    def _recover(self) -> None:
        # The caller has the error of the failed write; this retries it.
        with suppress(SearchError):
            if self.indexer is not None:
                self.indexer.recover()


def _digest(stored: StoredAsset) -> Digest:
    if stored.picture is None:
        raise UnknownAsset(f"the asset {stored.asset.id[:100]!r} has no picture")
    return stored.picture.digest
