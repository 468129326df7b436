"""The packaged model without open_clip: the same tokens, the same vectors, the same identity."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hybrid_search.core.model_choice import ModelChoice
from hybrid_search.embedding.bpe_tokenizer import BpeTokenizer
from hybrid_search.embedding.clip import ClipEmbedder
from hybrid_search.embedding.model_folder import EMBEDDED_FOLDER, VOCABULARY
from hybrid_search.embedding.packaged import PackagedEmbedder

FIXTURES = Path(__file__).parents[2] / "fixtures"
OURS = BpeTokenizer(EMBEDDED_FOLDER / VOCABULARY, 32)
THEIRS = open_clip.get_tokenizer(
    f"local-dir:{EMBEDDED_FOLDER}", bpe_path=str(EMBEDDED_FOLDER / VOCABULARY)
)
QUERIES = [
    json.loads(line)["text"]
    for line in (FIXTURES / "queries.jsonl").read_text("utf-8").splitlines()
    if "text" in line
]
TEXTS = [
    *QUERIES,
    *("", " ", "<start_of_text> x <END_OF_TEXT>", "it's 50% OFF!!! &amp;lt;b&amp;gt;", "x " * 90),
    *(
        "여름 세일, 무료 배송",
        "ㄱㅇㅈ 🎉🎉",
        "ＳＡＬＥ ﬁne schÃ¶n",
        "İstanbul ǅ",
        "\x00\u200b\ufeffa",
    ),
]


@pytest.fixture(scope="module")
def packaged() -> PackagedEmbedder:
    return PackagedEmbedder(ModelChoice(batch_size=3))


@pytest.fixture(scope="module")
def whole() -> ClipEmbedder:
    return ClipEmbedder(ModelChoice(batch_size=3))


@pytest.mark.parametrize("length", [None, 4, 2048])
def test_tokens_of_texts_are_those_of_open_clip(length: int | None) -> None:
    assert torch.equal(OURS(TEXTS, length), THEIRS(TEXTS, length))
    assert (OURS.vocab_size, OURS.context_length) == (THEIRS.vocab_size, THEIRS.context_length)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_tokens_of_any_text_are_those_of_open_clip(text: str) -> None:
    assert torch.equal(OURS([text]), THEIRS([text]))


def test_vectors_and_identity_are_those_of_the_whole_model(
    packaged: PackagedEmbedder, whole: ClipEmbedder
) -> None:
    assert packaged.facts == whole.facts
    assert np.array_equal(packaged.texts(TEXTS), whole.texts(TEXTS))
    assert np.array_equal(packaged.queries(TEXTS), whole.queries(TEXTS))
    assert packaged.token_count(TEXTS[0]) == whole.token_count(TEXTS[0])


def test_pictures_are_embedded_by_the_whole_model(
    packaged: PackagedEmbedder, whole: ClipEmbedder
) -> None:
    before = packaged.texts(TEXTS[:3])
    picture = Image.new("RGB", (90, 70), "teal")
    assert packaged.preprocess_spec == whole.preprocess_spec
    assert np.array_equal(packaged.pictures([picture]), whole.pictures([picture]))
    assert np.array_equal(packaged.texts(TEXTS[:3]), before)


def test_a_text_is_embedded_without_open_clip() -> None:
    script = (
        "import sys; from hybrid_search.core.model_choice import ModelChoice;"
        "from hybrid_search.embedding.packaged import PackagedEmbedder;"
        "PackagedEmbedder(ModelChoice()).queries(['여름 세일']);"
        "print({'open_clip', 'torchvision', 'timm', 'torch._dynamo'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
