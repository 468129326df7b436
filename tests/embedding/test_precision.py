"""bf16 is used only where it is faster and keeps the cosine."""

from collections.abc import Callable

import pytest
import torch

from hybrid_search.core.errors import InvalidConfig
from hybrid_search.core.model_choice import ModelChoice, Precision
from hybrid_search.embedding import precision as subject
from hybrid_search.embedding.clip import ClipEmbedder
from hybrid_search.embedding.clip_loader import load
from hybrid_search.embedding.clip_model import ClipModel
from hybrid_search.embedding.precision import settled
from tests.tiny_models import folder_model

Choose = Callable[[Precision], ModelChoice]


@pytest.fixture(scope="module")
def choose(tmp_path_factory: pytest.TempPathFactory) -> Choose:
    folder = folder_model(tmp_path_factory.mktemp("tiny"))
    return lambda precision: ModelChoice(f"local-dir:{folder}", precision=precision)


@pytest.fixture(autouse=True)
def faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "bf16_is_faster", lambda: True)


def settle(choice: ModelChoice) -> tuple[ClipModel, int]:
    """Return the model, and how often it was loaded."""
    loads = []

    def counted() -> ClipModel:
        loads.append(choice)
        return load(choice)

    return settled(counted, choice), len(loads)


@pytest.mark.parametrize("precision", ["auto", "bf16"])
def test_bf16_gives_the_same_vectors_under_the_same_key(
    choose: Choose, precision: Precision
) -> None:
    exact, half = ClipEmbedder(choose("fp32")), ClipEmbedder(choose(precision))
    assert (exact.facts.precision, half.facts.precision) == ("fp32", "bf16")
    assert exact.facts.key == half.facts.key
    texts = ["a red shoe", "신발", "half price"]
    cosines = (exact.texts(texts) * half.texts(texts)).sum(axis=1)
    assert 0.999 < cosines.min() < 1.0 - 1e-7


def test_model_below_the_cosine_stays_in_fp32(
    choose: Choose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "LEAST_COSINE", 1.1)
    model, loads = settle(choose("auto"))
    assert (model.dtype, loads) == (torch.float32, 2)
    assert {value.dtype for value in model.network.state_dict().values()} == {torch.float32}
    with pytest.raises(InvalidConfig, match=r"embedding\.precision = 'bf16'.*it must be 1\.1"):
        settle(choose("bf16"))


def test_embedded_model_stays_in_fp32() -> None:
    with pytest.raises(InvalidConfig, match=r"least cosine to fp32 of embedded is 0\.9[0-8]"):
        settle(ModelChoice(precision="bf16"))


@pytest.mark.parametrize("model", ["embedded", "folder"])
def test_known_result_is_not_measured_again(
    choose: Choose, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.setattr(subject, "_trial", None)
    settled, loads = settle(ModelChoice() if model == "embedded" else choose("fp32"))
    assert (settled.dtype, loads) == (torch.float32, 1)


def test_processor_without_bf16_uses_fp32(choose: Choose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "bf16_is_faster", lambda: False)
    assert settle(choose("auto"))[0].dtype == torch.float32
