"""The ingest pipeline with in-memory stores: what is decoded, embedded, stored and counted."""

import io
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pytest
from PIL import Image

from hybrid_search.analysis.rules import RulesAnalyzer
from hybrid_search.core import Asset, AssetId, digest_of
from hybrid_search.core.errors import EngineFailure
from hybrid_search.core.field_schema import Fields
from hybrid_search.core.picture_limits import PictureLimits
from hybrid_search.core.ports import Vectors
from hybrid_search.core.preprocess_spec import Pixels, PreprocessSpec
from hybrid_search.embedding.image_encoder import PictureEncoder
from hybrid_search.images.decoder_pool import Decoders
from hybrid_search.ingest.manifests import Row
from hybrid_search.ingest.pipeline import Indexer, IngestReport, Target
from hybrid_search.stores.local.list_retriever import VectorSource
from hybrid_search.stores.local.log_replay import LexicalReplay, VectorReplay
from hybrid_search.stores.local.store import Indexes, LocalStore
from hybrid_search.stores.memory import (
    HashEmbedder,
    MemoryCatalog,
    MemoryLexical,
    MemoryPictures,
    MemoryVectors,
)
from tests.progress import HANG_SECONDS


class CountingEmbedder(HashEmbedder):
    """Records batch sizes; can fail on request."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.failure: Exception | None = None

    def pixels(self, batch: Pixels) -> Vectors:
        if self.failure is not None:
            raise self.failure
        self.batches.append(len(batch))
        return super().pixels(batch)


class CountingDecoders(Decoders):
    """Counts pictures."""

    decoded = 0

    def prepare(self, pictures: list[bytes], spec: PreprocessSpec):  # type: ignore[no-untyped-def]
        self.decoded += len(pictures)
        return super().prepare(pictures, spec)


@dataclass
class Road:
    catalog: MemoryCatalog
    lexical: MemoryLexical
    vectors: MemoryVectors
    embedder: CountingEmbedder
    decoders: CountingDecoders
    encoder: PictureEncoder
    pictures: MemoryPictures
    indexer: Indexer


@contextmanager
def road_in(batch_size: int = 4) -> Iterator[Road]:
    catalog, embedder, pictures = MemoryCatalog(), CountingEmbedder(), MemoryPictures()
    lexical, vectors = MemoryLexical(RulesAnalyzer()), MemoryVectors(embedder.facts.dimension)
    with closing(CountingDecoders(PictureLimits())) as decoders:
        encoder = PictureEncoder(catalog, embedder, decoders)
        replay = VectorReplay(catalog, vectors, embedder.facts.key)
        indexer = Indexer(
            pictures=pictures,
            target=Target(store_of(catalog, lexical, vectors, replay), encoder, None),
            fields=Fields({}),
            batch_size=batch_size,
        )
        with closing(indexer):
            yield Road(catalog, lexical, vectors, embedder, decoders, encoder, pictures, indexer)


def store_of(
    catalog: MemoryCatalog, lexical: MemoryLexical, vectors: MemoryVectors, replay: VectorReplay
) -> LocalStore:
    return LocalStore(
        Indexes(
            catalog=catalog,
            lexical=lexical,
            sources=lambda: {"image_to_image": VectorSource(vectors)},
            fields=Fields({}),
            unavailable={},
            vector_replays=[replay],
            lexical_replay=LexicalReplay(catalog, lexical),
        )
    )


def png(shade: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (shade, 0, 255 - shade)).save(out, "PNG")
    return out.getvalue()


def ad(number: int, picture: bytes | None = None, title: str = "") -> Row:
    source = None if picture is None else lambda: picture
    return Row(Asset(AssetId(f"a{number}"), title=title or f"ad {number}"), source)


def test_equal_bytes_are_embedded_once_in_and_across_batches() -> None:
    with road_in(batch_size=4) as road:
        report = road.indexer.ingest(ad(n, png(n % 3)) for n in range(24))
        assert (report.indexed, report.pictures, report.embedded) == (24, 24, 3)
        assert sum(road.embedder.batches) == 3
        assert road.vectors.count() == road.lexical.snapshot().count() == road.catalog.count() == 24


def test_new_text_for_a_stored_picture_decodes_and_embeds_nothing() -> None:
    with road_in() as road:
        road.indexer.ingest([ad(n, png(n)) for n in range(6)])
        decoded = road.decoders.decoded
        report = road.indexer.ingest([ad(n, png(n), "new words") for n in range(6)])
        assert (report.updated, report.pictures, report.embedded) == (6, 6, 0)
        assert (decoded, road.decoders.decoded) == (6, 6)
        stored = road.catalog.find(AssetId("a3"))
        assert stored is not None
        assert stored.picture is not None
        assert (stored.picture.width, stored.picture.digest) == (40, digest_of(png(3)))


def test_unchanged_content_decodes_nothing() -> None:
    with road_in() as road:
        rows = [ad(n, png(n)) for n in range(6)]
        road.indexer.ingest(rows)
        report = road.indexer.ingest(rows)
        assert (report.unchanged, report.pictures, report.seconds > 0) == (6, 0, True)
        assert (road.decoders.decoded, sum(road.embedder.batches)) == (6, 6)


def test_counted_assets_are_stored_and_indexed() -> None:
    with road_in(batch_size=3) as road:
        counted = []

        def progress(report: IngestReport) -> None:
            ids = [f"a{n}" for n in range(report.total)]
            assert all(road.catalog.find(AssetId(name)) for name in ids)
            assert road.lexical.snapshot().count() >= report.total
            assert road.vectors.count() >= report.total
            counted.append(report.total)

        report = road.indexer.ingest((ad(n, png(n)) for n in range(10)), progress)
        assert counted == [3, 6, 9, 10]
        assert report.pictures_per_second == pytest.approx(10 / report.seconds)


def test_rows_are_read_no_further_ahead_than_three_batches() -> None:
    with road_in(batch_size=2) as road:
        read: list[int] = []

        def rows() -> Iterator[Row]:
            for n in range(40):
                read.append(n)
                yield ad(n, png(n))

        def progress(report: IngestReport) -> None:
            assert len(read) <= report.total + 2 * 4

        assert road.indexer.ingest(rows(), progress).indexed == 40


def test_model_failure_loses_only_uncounted_assets() -> None:
    with road_in(batch_size=2) as road:
        counted = [0]

        def progress(report: IngestReport) -> None:
            counted[0] = report.total
            road.embedder.failure = EngineFailure("torch: out of memory")

        with pytest.raises(EngineFailure, match="out of memory"):
            road.indexer.ingest((ad(n, png(n)) for n in range(20)), progress)
        assert counted[0] > 0
        assert road.catalog.count() >= counted[0]
        road.embedder.failure = None
        before = sum(road.embedder.batches)
        report = road.indexer.ingest(ad(n, png(n)) for n in range(20))
        assert (report.unchanged + report.indexed, sum(road.embedder.batches)) == (20, 20)
        assert report.embedded == 20 - before


def test_rejected_picture_is_reported_and_the_rest_continues() -> None:
    with road_in() as road:
        pictures: Sequence[bytes | None] = [png(1), b"GIF89a", None, png(2), b""]
        report = road.indexer.ingest([ad(n, picture) for n, picture in enumerate(pictures)])
        assert (report.indexed, report.pictures) == (3, 2)
        assert {part.id for part in report.skipped} == {"a1", "a4"}
        assert road.pictures.read(digest_of(png(2))) == png(2)


def test_requests_at_the_same_time_embed_a_picture_once_and_store_an_asset_once() -> None:
    with road_in() as road:
        reports: list[IngestReport] = []
        together = threading.Barrier(4)

        def write() -> None:
            together.wait(HANG_SECONDS)
            reports.append(road.indexer.ingest([ad(1, png(1))]))

        run_all([write] * 4)
        assert sum(report.indexed for report in reports) == 1
        assert sum(report.unchanged for report in reports) == 3
        assert road.embedder.batches == [1]
        assert road.catalog.last_sequence() == 1


def run_all(works: Sequence[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_SECONDS)


def test_pictures_without_a_vector_get_one_and_progress_counts_them() -> None:
    with road_in() as road:
        road.indexer.ingest(ad(n, png(n)) for n in range(70))
        other = CountingEmbedder()
        other.facts = replace(other.facts, name="other")
        encoder = PictureEncoder(road.catalog, other, road.decoders)
        told: list[tuple[int, int]] = []
        encoder.embed_missing(road.pictures, lambda done, whole: told.append((done, whole)))
        assert told == [(64, 70), (70, 70)]
        assert other.batches == [64, 6]
        rows = road.catalog.embeddings(other.facts.key, [digest_of(png(n)) for n in range(70)])
        assert len(rows) == 70
        assert all(np.linalg.norm(row) == pytest.approx(1.0) for row in rows.values())
        encoder.embed_missing(road.pictures)
        assert sum(other.batches) == 70


def test_assets_in_progress_at_a_switch_are_embedded_by_the_new_model() -> None:
    with road_in(batch_size=4) as road:
        other = HashEmbedder(32)
        vectors = MemoryVectors(other.facts.dimension)

        def opened() -> Target:
            encoder = PictureEncoder(road.catalog, other, road.decoders)
            encoder.embed_missing(road.pictures)
            vector_replay = VectorReplay(road.catalog, vectors, other.facts.key)
            vector_replay.load()
            store = store_of(road.catalog, road.lexical, vectors, vector_replay)
            return Target(store, encoder, None)

        def rows() -> Iterator[Row]:
            for number in range(40):
                if number == 21:
                    road.indexer.turn_to(opened)
                yield ad(number, png(number))

        assert road.indexer.ingest(rows()).indexed == 40
        assert road.catalog.unembedded(other.facts.key) == {}
        assert vectors.count() == 40
