"""The model in the package."""

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from hybrid_search.core.errors import InvalidConfig
from hybrid_search.core.model_choice import ModelChoice
from hybrid_search.embedding.clip import ClipEmbedder
from hybrid_search.embedding.model_folder import EMBEDDED_FOLDER
from hybrid_search.files.atomic_files import sha256_of

WEIGHTS_SHA256 = "8efaede43564b37151de4e477f0014781c35163c8a400fba7f5081674992f7b3"


@pytest.fixture(scope="module")
def embedder() -> ClipEmbedder:
    return ClipEmbedder(ModelChoice(batch_size=3))


def test_weights_have_the_expected_hash() -> None:
    assert sha256_of(EMBEDDED_FOLDER / "open_clip_model.safetensors") == WEIGHTS_SHA256


def test_the_facts(embedder: ClipEmbedder) -> None:
    facts = embedder.facts
    assert facts.name == "embedded"
    assert facts.dimension == 512
    assert facts.languages == ("en", "ko")
    assert facts.context_length > 0
    assert facts.image_size > 0
    assert facts.precision == "fp32"
    assert facts.key == f"embedded@{facts.weights_sha256[:16]}/512"


def test_translations_have_near_vectors(embedder: ClipEmbedder) -> None:
    puppy, korean, car = embedder.texts(["puppy", "강아지", "car"])
    assert puppy @ korean > puppy @ car
    assert puppy @ korean > korean @ car


def test_preprocessing_equals_open_clip(embedder: ClipEmbedder) -> None:
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{EMBEDDED_FOLDER}")
    chance = np.random.default_rng(3)
    noise = chance.integers(0, 256, (300, 410, 3), dtype=np.uint8)
    pictures = [Image.fromarray(noise), Image.new("RGB", (50, 80), "orange")]
    with torch.inference_mode():
        batch = torch.stack([transform(picture) for picture in pictures])
        expected = torch.nn.functional.normalize(model.eval().encode_image(batch), dim=-1)
    assert np.allclose(embedder.pictures(pictures), expected.numpy(), atol=1e-4)


@pytest.mark.parametrize(
    "choice",
    [
        ModelChoice("no-such-architecture", "openai"),
        ModelChoice("no-such-architecture"),
        ModelChoice("ViT-B-32"),
        ModelChoice("ViT-B-32", "no-such-weights"),
        ModelChoice("local-dir:/no/such/folder"),
    ],
)
def test_unavailable_model_is_rejected_by_name(choice: ModelChoice) -> None:
    with pytest.raises(InvalidConfig, match=r"embedding\.model") as refusal:
        ClipEmbedder(choice)
    assert choice.settings in str(refusal.value)
