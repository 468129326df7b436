"""Query encoding: caching, batching, and failures that reach exactly the waiting calls."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from hybrid_search.core import Digest, Note
from hybrid_search.core.errors import EngineFailure, IndexMismatch
from hybrid_search.core.ports import ModelFacts, Vectors
from hybrid_search.core.preprocess_spec import Pixels, PreprocessSpec
from hybrid_search.embedding.query_encoder import LazyEmbedder, QueryEncoder
from hybrid_search.images.preprocess import preprocess
from tests.progress import HANG_SECONDS, until


class FakeEmbedder:
    """Embeds a text by its length; can block inside a call, and fail on request."""

    def __init__(self, name: str = "fake") -> None:
        self.facts = ModelFacts(name, "0" * 64, 2, 77, 8, ())
        self.preprocess_spec = PreprocessSpec(8, 8)
        self.batches: list[list[str]] = []
        self.pictures_seen = 0
        self.failure: Exception | None = None
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def texts(self, texts: Sequence[str]) -> Vectors:
        self.batches.append(list(texts))
        self.entered.set()
        assert self.gate.wait(HANG_SECONDS)
        if self.failure is not None:
            raise self.failure
        return np.array([[len(text), 1.0] for text in texts], np.float32)

    def queries(self, texts: Sequence[str]) -> Vectors:
        return self.texts(texts)

    def token_count(self, text: str) -> int:
        return len(text.split())

    def pixels(self, batch: Pixels) -> Vectors:
        self.pictures_seen += len(batch)
        return np.array([[picture.mean(), 0.0] for picture in batch], np.float32)

    def pictures(self, pictures: Sequence[Image.Image]) -> Vectors:
        return self.pixels(
            np.stack([preprocess(picture, self.preprocess_spec) for picture in pictures])
        )


def held_up(
    fake: FakeEmbedder, encoder: QueryEncoder, pool: ThreadPoolExecutor, texts: list[str]
) -> tuple["Future[Vectors]", list["Future[Vectors]"]]:
    """Hold one call inside the model, with texts waiting for it."""
    fake.gate.clear()
    fake.entered.clear()
    first = pool.submit(encoder.text, "first")
    assert fake.entered.wait(HANG_SECONDS)
    before = encoder.counts().misses
    others = [pool.submit(encoder.text, text) for text in texts]
    # A text is waiting once its cache miss is counted.
    until(lambda: encoder.counts().misses >= before + len(texts))
    return first, others


def test_cached_text_is_not_encoded_again() -> None:
    fake = FakeEmbedder()
    encoder = QueryEncoder(fake)
    first, again = encoder.text("봄"), encoder.text("봄")
    assert first.tolist() == again.tolist() == [1.0, 1.0]
    assert fake.batches == [["봄"]]
    counts = encoder.counts()
    assert (counts.hits, counts.misses, counts.batches) == (1, 1, 1)


def test_least_recently_used_text_is_evicted_first() -> None:
    fake = FakeEmbedder()
    encoder = QueryEncoder(fake, cached=2)
    for text in ("a", "bb", "a", "ccc", "a", "bb"):
        assert encoder.text(text)[0] == len(text)
    assert fake.batches == [["a"], ["bb"], ["ccc"], ["bb"]]


def test_waiting_texts_share_a_batch_and_get_their_own_vectors() -> None:
    fake = FakeEmbedder()
    encoder = QueryEncoder(fake)
    texts = ["x" * length for length in range(1, 11)]
    with ThreadPoolExecutor(16) as pool:
        first, others = held_up(fake, encoder, pool, [*texts, "xxx"])
        fake.gate.set()
        assert first.result(HANG_SECONDS).tolist() == [5.0, 1.0]
        lengths = [int(other.result(HANG_SECONDS)[0]) for other in others]
    assert lengths == [*range(1, 11), 3]
    assert len(fake.batches) == 2
    assert sorted(fake.batches[1]) == sorted(texts)
    assert encoder.counts().batches == 2


def test_failure_reaches_every_waiter_and_the_next_call_works() -> None:
    fake = FakeEmbedder()
    encoder = QueryEncoder(fake)
    with ThreadPoolExecutor(8) as pool:
        first, others = held_up(fake, encoder, pool, ["a", "bb", "ccc"])
        fake.failure = EngineFailure("torch: out of memory")
        fake.gate.set()
        for waiter in (first, *others):
            with pytest.raises(EngineFailure, match="out of memory"):
                waiter.result(HANG_SECONDS)
    fake.failure = None
    assert encoder.text("bb").tolist() == [2.0, 1.0]
    assert encoder.text("first").tolist() == [5.0, 1.0]


def test_many_threads_get_the_right_vectors() -> None:
    fake = FakeEmbedder()
    encoder = QueryEncoder(fake, cached=5)
    wanted = [n % 17 for n in range(400)]
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda n: encoder.text("x" * n), wanted))
    assert [int(row[0]) for row in rows] == wanted


def test_cached_picture_is_not_decoded() -> None:
    fake = FakeEmbedder()
    encoder = QueryEncoder(fake)
    picture = Image.new("RGB", (7, 3), (7, 7, 7))

    def never(_: PreprocessSpec) -> Pixels:
        raise AssertionError("opened a picture whose vector is known")

    assert encoder.picture(Digest("aa"), lambda spec: preprocess(picture, spec)).tolist() == [
        7.0,
        0.0,
    ]
    assert encoder.picture(Digest("aa"), never).tolist() == [7.0, 0.0]
    assert fake.pictures_seen == 1


def test_picture_and_text_with_the_same_key_are_distinct() -> None:
    encoder = QueryEncoder(FakeEmbedder())
    encoder.text("aa")
    row = encoder.picture(
        Digest("aa"), lambda spec: preprocess(Image.new("RGB", (9, 9), (9, 9, 9)), spec)
    )
    assert row.tolist() == [9.0, 0.0]


def counted(fake: FakeEmbedder, loads: list[int]) -> Callable[[], FakeEmbedder]:
    def load() -> FakeEmbedder:
        loads.append(1)
        time.sleep(0.02)
        return fake

    return load


def test_the_model_is_loaded_once_and_only_when_it_is_used() -> None:
    loads: list[int] = []
    lazy = LazyEmbedder(counted(FakeEmbedder(), loads))
    assert not lazy.loaded
    assert loads == []
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda text: lazy.texts([text]), ["a", "bb", "ccc", "dddd"]))
    assert [int(row[0, 0]) for row in rows] == [1, 2, 3, 4]
    assert len(loads) == 1
    assert lazy.loaded


def test_model_of_another_space_is_rejected() -> None:
    fake = FakeEmbedder()
    lazy = LazyEmbedder(lambda: fake)
    lazy.expect("other@0000000000000000/2")
    with pytest.raises(IndexMismatch, match="hybrid-search rebuild"):
        lazy.texts(["a"])
    assert not lazy.loaded
    lazy.expect(fake.facts.key)
    assert lazy.texts(["abc"]).tolist() == [[3.0, 1.0]]
    with pytest.raises(IndexMismatch):
        lazy.expect("other@0000000000000000/2")


def test_other_model_is_rejected_before_loading() -> None:
    loads: list[int] = []
    lazy = LazyEmbedder(counted(FakeEmbedder(), loads), "ViT-L-14:openai")
    lazy.expect("fake@0000000000000000/2")
    with pytest.raises(IndexMismatch, match=r"fake@0+/2.*is ViT-L-14:openai; run: hybrid-search"):
        lazy.texts(["a"])
    assert loads == []


def test_other_weights_with_the_same_name_are_rejected() -> None:
    lazy = LazyEmbedder(FakeEmbedder, "fake")
    lazy.expect("fake@1111111111111111/2")
    with pytest.raises(IndexMismatch, match="hybrid-search rebuild"):
        lazy.texts(["a"])


def test_truncated_text_is_reported() -> None:
    encoder = QueryEncoder(FakeEmbedder())
    assert encoder.cut_note("word " * 77) is None
    note = encoder.cut_note("word " * 80)
    assert note == Note("text_truncated", {"read": 77, "tokens": 80})


def test_continuous_texts_share_forward_passes() -> None:
    class Slow(FakeEmbedder):
        """Works until every other thread waits with its next text."""

        def texts(self, texts: Sequence[str]) -> Vectors:
            done = sum(map(len, self.batches))
            until(lambda: encoder.counts().misses >= min(320, done + 16))
            return super().texts(texts)

    fake = Slow()
    encoder = QueryEncoder(fake)
    with ThreadPoolExecutor(16) as pool:
        rows = list(pool.map(encoder.text, [f"{n:03}" for n in range(320)]))
    assert [row[0] for row in rows] == [3.0] * 320
    assert sum(map(len, fake.batches)) == 320
    # Alternating batches hold half of the threads; a queue for a lock would give two or three.
    assert encoder.counts().batches < 320 / 4


def test_too_few_rows_from_the_model_leave_no_waiter_blocked() -> None:
    class Short(FakeEmbedder):
        def texts(self, texts: Sequence[str]) -> Vectors:
            return super().texts(texts)[:-1] if "short" in texts else super().texts(texts)

    fake = Short()
    encoder = QueryEncoder(fake)
    with ThreadPoolExecutor(4) as pool:
        first, others = held_up(fake, encoder, pool, ["short", "other"])
        fake.gate.set()
        assert first.result(HANG_SECONDS).tolist() == [5.0, 1.0]
        for waiting in others:
            with pytest.raises(ValueError, match="zip"):
                waiting.result(HANG_SECONDS)
        assert encoder.text("later").tolist() == [5.0, 1.0]
