"""Contract of every embedder."""

import threading

import numpy as np
import pytest
from PIL import Image

from hybrid_search.core.model_choice import ModelChoice
from hybrid_search.core.ports import Embedder
from hybrid_search.embedding.clip import ClipEmbedder
from hybrid_search.images.preprocess import preprocess
from hybrid_search.stores.memory import HashEmbedder
from tests.progress import HANG_SECONDS


@pytest.fixture(scope="module", params=["embedded", "hash"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return HashEmbedder() if request.param == "hash" else ClipEmbedder(ModelChoice(batch_size=3))


def test_the_facts_name_the_space(embedder: Embedder) -> None:
    facts = embedder.facts
    assert facts.context_length > 0
    assert facts.image_size > 0
    assert len(facts.weights_sha256) == 64
    assert facts.key == f"{facts.name}@{facts.weights_sha256[:16]}/{facts.dimension}"


def test_texts_are_unit_rows(embedder: Embedder) -> None:
    rows = embedder.texts(["a red shoe", "빨간 구두", "", "x " * 500])
    assert (rows.shape, rows.dtype) == ((4, embedder.facts.dimension), np.dtype(np.float32))
    assert np.allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)


def test_pictures_are_unit_rows_whatever_their_shape(embedder: Embedder) -> None:
    pictures = [Image.new("RGB", size, "teal") for size in ((8, 8), (600, 20), (30, 300), (1, 1))]
    rows = embedder.pictures(pictures)
    assert (rows.shape, rows.dtype) == ((4, embedder.facts.dimension), np.dtype(np.float32))
    assert np.allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)


def test_a_picture_is_its_prepared_pixels(embedder: Embedder) -> None:
    spec = embedder.preprocess_spec
    pictures = [Image.new("RGB", (90 + n, 70), (n * 60, 90, 0)) for n in range(4)]
    batch = np.stack([preprocess(picture, spec) for picture in pictures])
    assert (batch.shape, batch.dtype) == ((4, spec.height, spec.width, 3), np.dtype(np.uint8))
    assert max(spec.width, spec.height) == embedder.facts.image_size
    rows = embedder.pixels(batch)
    assert (rows.shape, rows.dtype) == ((4, embedder.facts.dimension), np.dtype(np.float32))
    assert np.allclose(rows, embedder.pictures(pictures), atol=1e-5)


def test_empty_input_gives_no_rows(embedder: Embedder) -> None:
    nothing = (0, embedder.facts.dimension)
    spec = embedder.preprocess_spec
    no_pixels = np.empty((0, spec.height, spec.width, 3), np.uint8)
    assert embedder.texts([]).shape == embedder.pictures([]).shape == nothing
    assert embedder.pixels(no_pixels).shape == nothing


def test_unread_tokens_are_counted(embedder: Embedder) -> None:
    counts = [embedder.token_count("구두 shoe " * n) for n in (1, 10, 100)]
    assert 2 <= counts[0] < embedder.facts.context_length
    assert counts[0] < counts[1] < counts[2]


def test_batch_equals_its_parts(embedder: Embedder) -> None:
    texts = ["puppy", "강아지", "car", "여름 세일", "summer sale"]
    apart = np.concatenate([embedder.texts([text]) for text in texts])
    assert np.allclose(embedder.texts(texts), apart, atol=1e-4)


def test_equal_inputs_have_equal_vectors_and_others_differ(embedder: Embedder) -> None:
    first, again, other = embedder.texts(["puppy", "puppy", "railway station"])
    assert first @ again == pytest.approx(1.0, abs=1e-5)
    assert first @ other < 0.9


def test_several_threads_may_embed(embedder: Embedder) -> None:
    expected, found = embedder.texts(["puppy"])[0], []
    threads = [
        threading.Thread(target=lambda: found.append(embedder.texts(["puppy"])[0]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_SECONDS)
    assert [bool(np.allclose(row, expected, atol=1e-4)) for row in found] == [True] * 4
