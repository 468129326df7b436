"""Embedded search engines behind one interface.

All contain the same assets: a text with words separated by spaces, and a unit vector. Graphs have
32 links a node and 100 candidates during construction (ef_construction). All run on one thread.
Results are ordinals, starting at 1, best first.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import lancedb
import numpy as np
import pyarrow as pa
import qdrant_edge as edge
import zvec
from clouds import Rows
from lancedb.index import FTS, HnswFlat
from lancedb.query import MatchQuery, PhraseQuery
from lancedb.rerankers import RRFReranker

from hybrid_search.analysis.query_parser import parse_query
from hybrid_search.analysis.rules import RulesAnalyzer
from hybrid_search.core import (
    Asset,
    AssetId,
    FusionSettings,
    ListName,
    ListSettings,
    Ordinal,
    StoredAsset,
)
from hybrid_search.core.candidates import CandidateList, Retrieved
from hybrid_search.core.ports import LexicalMatches, LiveVectors, VectorMatches
from hybrid_search.search.fusion import fuse
from hybrid_search.search.text_search import TextSearch
from hybrid_search.stores.embedded.lexical.index import TantivyIndex
from hybrid_search.stores.embedded.vector.index import FaissIndex
from hybrid_search.stores.embedded.vector.index_spec import VectorPlan

DIMENSION = 512
LINKS, BUILD_BREADTH = 32, 100
WINDOW, RANK_CONSTANT = 100, 60
_CHUNK = 1000

Spent = dict[str, float]
"""CPU seconds by part of a build."""


class Engine(ABC):
    """One engine with one folder."""

    name: ClassVar[str]
    package: ClassVar[str]
    breadth: int = 256
    """Search breadth of the graph (ef)."""

    @abstractmethod
    def build(self, folder: Path, texts: Sequence[str], rows: Rows) -> Spent:
        """Index the assets into a new folder and leave the engine open."""

    @abstractmethod
    def open(self, folder: Path) -> None:
        """Open a folder that was built before."""

    @abstractmethod
    def close(self) -> None:
        """Close the engine, so that other processes can open the folder."""

    @abstractmethod
    def vector(self, vector: Rows, limit: int) -> list[int]:
        """Return the nearest assets."""

    @abstractmethod
    def keyword(self, word: str, limit: int) -> list[int]:
        """Return the assets with this word, by BM25."""

    @abstractmethod
    def phrase(self, phrase: str, limit: int) -> list[int]:
        """Return the assets with this phrase, by BM25."""

    @abstractmethod
    def hybrid(self, word: str, vector: Rows, limit: int) -> list[int]:
        """Return both lists within their windows, fused by the engine's own RRF."""

    def fused(self, word: str, vector: Rows, limit: int) -> list[int]:
        """Return the same, fused here: some engines are faster without their own fusion."""
        return rrf([self.keyword(word, WINDOW), self.vector(vector, WINDOW)])[:limit]


def rrf(lists: Sequence[Sequence[int]]) -> list[int]:
    gains: dict[int, float] = {}
    for found in lists:
        for rank, ordinal in enumerate(found, start=1):
            gains[ordinal] = gains.get(ordinal, 0.0) + 1.0 / (RANK_CONSTANT + rank)
    return sorted(gains, key=lambda ordinal: -gains[ordinal])


@contextmanager
def _clocked(spent: Spent, part: str) -> Iterator[None]:
    started = time.process_time()
    yield
    spent[part] = time.process_time() - started


def _chunks(count: int) -> Iterator[range]:
    return (range(first, min(first + _CHUNK, count)) for first in range(0, count, _CHUNK))


class OurVectors:
    """The vector index of this project, memory-mapped from a folder."""

    plan = VectorPlan(kind="hnsw", storage="bf16", m=LINKS, ef_construction=BUILD_BREADTH)

    def build(self, folder: Path, ordinals: np.ndarray, rows: Rows) -> None:
        live = LiveVectors(sequence=0, count=len(rows), portions=[(ordinals, rows)])
        # Only for building: an index to which no vector was added treats all as deleted.
        FaissIndex(DIMENSION, folder=folder, plan=self.plan).rebuild(live, probes=[])

    def open(self, folder: Path) -> None:
        self._index = FaissIndex(DIMENSION, folder=folder, plan=self.plan)

    def search(self, vector: Rows, limit: int) -> VectorMatches:
        return self._index.search(vector, limit)


class Ours(Engine):
    """The two indexes and the fusion of this project, without catalog and rendering."""

    name, package = "hybrid_search", "hybrid_search"

    def __init__(self) -> None:
        self._vectors = OurVectors()
        self._folder = Path()
        lists: tuple[ListName, ...] = ("lexical", "text_to_image")
        self._settings = FusionSettings(
            RANK_CONSTANT, {name: ListSettings(WINDOW, 1.0) for name in lists}
        )

    def build(self, folder: Path, texts: Sequence[str], rows: Rows) -> Spent:
        spent: Spent = {}
        with _clocked(spent, "text"):
            index = TantivyIndex(folder / "text", RulesAnalyzer())
            index.add(_stored(ordinal, text) for ordinal, text in enumerate(texts, start=1))
            index.commit(len(texts))
            index.close()
        with _clocked(spent, "vectors"):
            self._vectors.build(folder / "vectors", np.arange(1, len(rows) + 1), rows)
        self.open(folder)
        return spent

    def open(self, folder: Path) -> None:
        self._folder = folder
        self._index = TantivyIndex(folder / "text", RulesAnalyzer(), read_only=True)
        self._text = TextSearch(self._index, RulesAnalyzer())
        self._vectors.open(folder / "vectors")

    @property
    def breadth(self) -> int:
        return self._vectors.plan.ef_search

    @breadth.setter
    def breadth(self, breadth: int) -> None:
        self._vectors.plan = replace(self._vectors.plan, ef_search=breadth)
        if self._folder.name:
            self._vectors.open(self._folder / "vectors")

    def close(self) -> None:
        self._index.close()

    def vector(self, vector: Rows, limit: int) -> list[int]:
        return list(self._vectors.search(vector, limit).ordinals)

    def keyword(self, word: str, limit: int) -> list[int]:
        return list(self._words(word, limit).ordinals)

    def phrase(self, phrase: str, limit: int) -> list[int]:
        return list(self._text.phrase(phrase, limit).ordinals)

    def hybrid(self, word: str, vector: Rows, limit: int) -> list[int]:
        words, near = self._words(word, WINDOW), self._vectors.search(vector, WINDOW)
        found: list[tuple[ListName, LexicalMatches | VectorMatches]] = [
            ("lexical", words),
            ("text_to_image", near),
        ]
        rows = np.unique(np.array([*words.ordinals, *near.ordinals], np.int64))
        lists = [
            CandidateList(
                name,
                np.searchsorted(rows, np.array(one.ordinals, np.int64)),
                np.array(one.scores),
                WINDOW,
            )
            for name, one in found
        ]
        order = fuse(Retrieved.of(lists, rows), self._settings)
        return [int(arrival) for arrival in order.arrivals[:limit]]

    def _words(self, word: str, limit: int) -> LexicalMatches:
        return self._text.words(parse_query(word), limit)


def _stored(ordinal: int, text: str) -> StoredAsset:
    return StoredAsset(Ordinal(ordinal), Asset(AssetId(str(ordinal)), body=text), None, "")


class Zvec(Engine):
    """zvec: HNSW over raw vectors, full text in RocksDB.

    Its fastest call returns internal numbers and needs a read-only collection. They are converted
    to keys here, as any caller must do. Its own fusion has no such call, and its window is the
    number of results.
    """

    name, package = "zvec", "zvec"
    _ready = False

    def __init__(self) -> None:
        if not Zvec._ready:  # a second call is refused
            zvec.init(query_threads=1, optimize_threads=1, log_level=zvec.LogLevel.ERROR)
            Zvec._ready = True
        self._rrf = zvec.RrfReRanker(RANK_CONSTANT)

    def build(self, folder: Path, texts: Sequence[str], rows: Rows) -> Spent:
        spent: Spent = {}
        one = zvec.IndexOption(concurrency=1)
        graph = zvec.HnswIndexParam(
            metric_type=zvec.MetricType.IP, m=LINKS, ef_construction=BUILD_BREADTH
        )
        with _clocked(spent, "both"):
            collection = zvec.create_and_open(str(folder / "ads"), self._schema())
            for chunk in _chunks(len(texts)):
                collection.insert([self._document(n, texts[n], rows[n]) for n in chunk])
        with _clocked(spent, "vectors"):
            collection.create_index("vector", graph, one)
        with _clocked(spent, "text"):
            words = zvec.FtsIndexParam(tokenizer_name="whitespace")
            collection.create_index("copy", words, one)
        with _clocked(spent, "settling"):
            collection.optimize(zvec.OptimizeOption(concurrency=1))
            collection.close()
        self.open(folder)
        return spent

    @staticmethod
    def _schema() -> zvec.CollectionSchema:
        scanned = zvec.FlatIndexParam(metric_type=zvec.MetricType.IP)
        kind = zvec.DataType.VECTOR_FP32
        return zvec.CollectionSchema(
            name="ads",
            fields=[zvec.FieldSchema("copy", zvec.DataType.STRING)],
            vectors=[zvec.VectorSchema("vector", kind, DIMENSION, index_param=scanned)],
        )

    @staticmethod
    def _document(number: int, text: str, row: Rows) -> zvec.Doc:
        return zvec.Doc(id=str(number + 1), vectors={"vector": row}, fields={"copy": text})

    def open(self, folder: Path) -> None:
        read_only = zvec.CollectionOption(read_only=True)
        self._collection = zvec.open(str(folder / "ads"), read_only)

    def close(self) -> None:
        self._collection.close()

    def vector(self, vector: Rows, limit: int) -> list[int]:
        return self._ask(self._near(vector, limit), limit)

    def keyword(self, word: str, limit: int) -> list[int]:
        return self._ask(self._matching(word), limit)

    def phrase(self, phrase: str, limit: int) -> list[int]:
        quoted = zvec.Fts(query_string=f'"{phrase}"')
        return self._ask(zvec.Query("copy", fts=quoted), limit)

    def hybrid(self, word: str, vector: Rows, limit: int) -> list[int]:
        both = [self._matching(word), self._near(vector, WINDOW)]
        found = self._collection.query(both, topk=WINDOW, output_fields=[], reranker=self._rrf)
        return [int(document.id) for document in found[:limit]]

    def _near(self, vector: Rows, limit: int) -> zvec.Query:
        breadth = zvec.HnswQueryParam(ef=max(self.breadth, limit))
        return zvec.Query("vector", vector=vector, param=breadth)

    @staticmethod
    def _matching(word: str) -> zvec.Query:
        return zvec.Query("copy", fts=zvec.Fts(match_string=word))

    def _ask(self, query: zvec.Query, limit: int) -> list[int]:
        found = self._collection.query_internal_ids(query, topk=limit)
        keys = self._collection.resolve_internal_ids(found[found >= 0])
        return [int(key) for key in keys if key is not None]


class Qdrant(Engine):
    """Qdrant Edge: one optimised shard with a text index for BM25 and phrases."""

    name, package = "qdrant-edge", "qdrant-edge-py"

    def build(self, folder: Path, texts: Sequence[str], rows: Rows) -> Spent:
        spent: Spent = {}
        update = edge.UpdateOperation
        with _clocked(spent, "both"):
            folder.mkdir()
            shard = edge.EdgeShard.create(str(folder), self._config())
            for chunk in _chunks(len(texts)):
                points = [edge.Point(n + 1, rows[n], {"copy": texts[n]}) for n in chunk]
                shard.update(update.upsert_points(points))
        with _clocked(spent, "text"):
            words = edge.TextIndexParams(
                tokenizer=edge.TokenizerType.Whitespace, phrase_matching=True, scoring=True
            )
            shard.update(update.create_field_index("copy", words))
        with _clocked(spent, "vectors"):  # includes indexing the text again for the new segment
            shard.optimize()
            shard.flush()
            shard.close()
        self.open(folder)
        return spent

    @staticmethod
    def _config() -> edge.EdgeConfig:
        return edge.EdgeConfig(
            vectors=edge.EdgeVectorParams(DIMENSION, edge.Distance.Dot),
            hnsw_config=edge.HnswIndexConfig(
                LINKS, BUILD_BREADTH, full_scan_threshold=10, max_indexing_threads=1
            ),
            optimizers=edge.EdgeOptimizersConfig(default_segment_number=1, indexing_threshold=1000),
            max_search_threads=1,
            wal_enabled=False,  # the other engines have no write-ahead log either
        )

    def open(self, folder: Path) -> None:
        self._shard = edge.EdgeShard.load(str(folder))

    def close(self) -> None:
        self._shard.close()

    def vector(self, vector: Rows, limit: int) -> list[int]:
        query = edge.Query.Nearest(vector)
        return self._ask(edge.QueryRequest(limit, query=query, params=self._breadth(limit)))

    def keyword(self, word: str, limit: int) -> list[int]:
        return self._ask(edge.QueryRequest(limit, query=edge.TextQuery("copy", word)))

    def phrase(self, phrase: str, limit: int) -> list[int]:
        held = edge.FieldCondition("copy", match=edge.MatchPhrase(phrase))
        ranked = edge.TextQuery("copy", phrase)
        return self._ask(edge.QueryRequest(limit, query=ranked, filter=edge.Filter(must=[held])))

    def hybrid(self, word: str, vector: Rows, limit: int) -> list[int]:
        near, breadth = edge.Query.Nearest(vector), self._breadth(WINDOW)
        both = [
            edge.Prefetch(WINDOW, query=edge.TextQuery("copy", word)),
            edge.Prefetch(WINDOW, query=near, params=breadth),
        ]
        # Its ranks start at 0.
        fusion = edge.Fusion.Rrf(RANK_CONSTANT + 1)
        return self._ask(edge.QueryRequest(limit, query=fusion, prefetches=both))

    def _breadth(self, limit: int) -> edge.SearchParams:
        return edge.SearchParams(hnsw_ef=max(self.breadth, limit))

    def _ask(self, request: edge.QueryRequest) -> list[int]:
        return [point.id for point in self._shard.query(request)]


class Lance(Engine):
    """LanceDB: one partition with an HNSW graph over raw vectors, full text with positions."""

    name, package = "lancedb", "lancedb"

    def __init__(self) -> None:
        self._rrf = RRFReranker(RANK_CONSTANT)

    def build(self, folder: Path, texts: Sequence[str], rows: Rows) -> Spent:
        spent: Spent = {}
        with _clocked(spent, "both"):
            table = lancedb.connect(folder).create_table("ads", _columns(texts, rows))
        with _clocked(spent, "vectors"):
            graph = HnswFlat("dot", num_partitions=1, m=LINKS, ef_construction=BUILD_BREADTH)
            table.create_index("vector", config=graph)
        with _clocked(spent, "text"):
            words = FTS(
                with_position=True,
                base_tokenizer="whitespace",
                stem=False,
                remove_stop_words=False,
                ascii_folding=False,
            )
            table.create_index("copy", config=words)
        self.open(folder)
        return spent

    def open(self, folder: Path) -> None:
        self._table = lancedb.connect(folder).open_table("ads")

    def close(self) -> None:
        del self._table

    def vector(self, vector: Rows, limit: int) -> list[int]:
        asked = self._table.search(vector, vector_column_name="vector").distance_type("dot")
        asked = asked.nprobes(1).ef(max(self.breadth, limit)).limit(limit)
        return _ordinals(asked.select(["ordinal", "_distance"]).to_arrow())

    def keyword(self, word: str, limit: int) -> list[int]:
        return self._matching(MatchQuery(word, "copy"), limit)

    def phrase(self, phrase: str, limit: int) -> list[int]:
        return self._matching(PhraseQuery(phrase, "copy"), limit)

    def hybrid(self, word: str, vector: Rows, limit: int) -> list[int]:
        asked = self._table.search(query_type="hybrid", vector_column_name="vector")
        asked = asked.vector(vector).text(MatchQuery(word, "copy")).distance_type("dot")
        asked = asked.nprobes(1).ef(max(self.breadth, WINDOW)).rerank(self._rrf)
        # The limit is also the window of its lists.
        return _ordinals(asked.select(["ordinal"]).limit(WINDOW).to_arrow())[:limit]

    def _matching(self, query: MatchQuery | PhraseQuery, limit: int) -> list[int]:
        asked = self._table.search(query, query_type="fts").limit(limit)
        return _ordinals(asked.select(["ordinal", "_score"]).to_arrow())


def _columns(texts: Sequence[str], rows: Rows) -> pa.Table:
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), DIMENSION)
    ordinals = pa.array(range(1, len(texts) + 1), pa.int64())
    return pa.table({"ordinal": ordinals, "copy": list(texts), "vector": vectors})


def _ordinals(found: pa.Table) -> list[int]:
    ordinals: list[int] = found["ordinal"].to_pylist()
    return ordinals


ENGINES: dict[str, type[Engine]] = {kind.name: kind for kind in (Ours, Zvec, Qdrant, Lance)}
