"""Model loading: sources, rejections, and no downloads or code execution."""

import json
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Never

import huggingface_hub.constants
import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from hybrid_search.core.errors import InvalidConfig
from hybrid_search.core.model_choice import ModelChoice
from hybrid_search.embedding import clip_loader
from hybrid_search.embedding.clip import ClipEmbedder
from hybrid_search.embedding.clip_loader import load
from tests.tiny_models import GREY, TINY, folder_model, register, weights

SMALL_ROBERTA = {
    "model_type": "xlm-roberta",
    "vocab_size": 6,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
    "type_vocab_size": 1,
    "pad_token_id": 0,
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every connection attempt fail."""

    def refuse(*_: object, **__: object) -> Never:
        raise OSError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return register(tmp_path_factory.mktemp("architectures"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_model(tmp_path / "shop-clip")


def in_folder(path: Path) -> ModelChoice:
    return ModelChoice(f"local-dir:{path}", precision="fp32")


def test_model_folder_is_self_contained(folder: Path) -> None:
    embedder = ClipEmbedder(in_folder(folder))
    facts = embedder.facts
    assert (facts.name, facts.dimension) == ("local-dir:shop-clip", 16)
    assert (facts.context_length, facts.image_size) == (16, 32)
    grey = Image.new("RGB", (50, 20), (255, 255, 255))
    assert np.allclose(load(in_folder(folder)).preprocess(grey).numpy(), (1 - 0.5) / 0.25)


def test_key_depends_on_weights_not_on_path(tmp_path: Path) -> None:
    here, there = (folder_model(tmp_path / place / "m") for place in ("here", "there"))
    other = folder_model(tmp_path / "other" / "m", seed=2)
    keys = [ClipEmbedder(in_folder(path)).facts.key for path in (here, there, other)]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt", "w.pth", "w.bin"])
def test_local_weights_for_an_architecture(tiny: str, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    save_file(weights(), path) if path.suffix == ".safetensors" else torch.save(weights(), path)
    choice = ModelChoice(tiny, str(path))
    assert choice.name == f"tiny:{name}"
    expected = load(in_folder(folder_model(tmp_path / "folder"))).weights_sha256
    assert load(choice).weights_sha256 == expected


def test_random_weights_are_deterministic(tiny: str) -> None:
    choice = ModelChoice(tiny, "random")
    first, second = ClipEmbedder(choice), ClipEmbedder(choice)
    assert first.facts.key == second.facts.key


def test_training_checkpoint_is_loaded(tiny: str, tmp_path: Path) -> None:
    kept = {f"module.{key}": value for key, value in weights().items()}
    torch.save({"epoch": 3, "state_dict": kept}, tmp_path / "epoch_3.pt")
    assert load(ModelChoice(tiny, str(tmp_path / "epoch_3.pt"))).context_length == 16


class Bomb:
    """Runs a command when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


def test_file_with_code_is_rejected_without_running_it(tiny: str, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    torch.save({"state_dict": {**weights(), "bomb": Bomb(mark)}}, tmp_path / "w.pt")
    with pytest.raises(InvalidConfig, match=r"more than weights.*safetensors"):
        load(ModelChoice(tiny, str(tmp_path / "w.pt")))
    assert not mark.exists()
    folder = folder_model(tmp_path / "folder")
    (folder / "open_clip_model.safetensors").unlink()
    (tmp_path / "w.pt").rename(folder / "open_clip_pytorch_model.bin")
    with pytest.raises(InvalidConfig, match="more than weights"):
        load(in_folder(folder))
    assert not mark.exists()


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_torchscript_is_rejected(tiny: str, tmp_path: Path) -> None:
    trace: Callable[..., torch.jit.ScriptModule] = torch.jit.trace
    scripted = trace(torch.nn.Linear(2, 2), torch.zeros(1, 2))
    torch.jit.save(scripted, tmp_path / "w.pt")
    with pytest.raises(InvalidConfig, match="weights_only"):
        load(ModelChoice(tiny, str(tmp_path / "w.pt")))


def test_folder_without_weights_is_rejected(folder: Path) -> None:
    (folder / "open_clip_model.safetensors").unlink()
    with pytest.raises(InvalidConfig, match="could not be loaded"):
        load(in_folder(folder))


def test_weights_of_another_shape_are_rejected(folder: Path) -> None:
    save_file({"logit_scale": torch.ones(())}, folder / "open_clip_model.safetensors")
    with pytest.raises(InvalidConfig, match="Missing key"):
        load(in_folder(folder))


@pytest.mark.parametrize("key", ["mean", "std"])
def test_folder_must_specify_preprocessing(tmp_path: Path, key: str) -> None:
    said = {name: value for name, value in GREY.items() if name != key}
    folder = folder_model(tmp_path, preprocess_cfg=said)
    with pytest.raises(InvalidConfig, match=rf"preprocess_cfg\.{key}"):
        load(in_folder(folder))


def test_a_text_model_must_be_local_too(tmp_path: Path) -> None:
    text = {**TINY["text_cfg"], "hf_model_name": "xlm-roberta-base"}
    folder = folder_model(tmp_path, model_cfg={**TINY, "text_cfg": text})
    with pytest.raises(InvalidConfig, match="hf_model_name = 'xlm-roberta-base' must be a local"):
        load(in_folder(folder))


def test_vocabulary_of_another_size_is_rejected(tmp_path: Path) -> None:
    text = {**TINY["text_cfg"], "vocab_size": 50_000}
    folder = folder_model(tmp_path, model_cfg={**TINY, "text_cfg": text})
    torch.manual_seed(1)
    network = open_clip.CLIP(**{**TINY, "text_cfg": text})
    save_file(dict(network.state_dict()), folder / "open_clip_model.safetensors")
    with pytest.raises(InvalidConfig, match="vocab_size is 50000"):
        load(in_folder(folder))


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        (ModelChoice("ViT-B-32", "openai"), "embedding.model = 'ViT-B-32-quickgelu'"),
        (ModelChoice("ViT-B-32-quickgelu", "laion2b_s34b_b79k"), "no such weights; open_clip has"),
        (ModelChoice("ViT-B-32", "/no/such/file.pt"), "no file at /no/such/file.pt"),
        (ModelChoice("ViT-B-32", "weights.npz"), "ends in .safetensors"),
        (ModelChoice("hf-hub:org/name", "openai"), "must be left out"),
        (ModelChoice("ViT-Q-99"), "no such architecture; run: hybrid-search models"),
    ],
)
def test_contradictory_model_settings_are_rejected(choice: ModelChoice, reason: str) -> None:
    with pytest.raises(InvalidConfig, match=r"embedding\.model") as refusal:
        load(choice)
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    "choice",
    [ModelChoice("ViT-B-32", "datacomp_xl_s13b_b90k"), ModelChoice("hf-hub:no-such/model")],
)
def test_failed_download_is_a_one_line_error(
    choice: ModelChoice, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As with HF_HUB_OFFLINE=1; without it the hub is tried repeatedly.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InvalidConfig, match="cannot be loaded") as refusal:
        load(choice)
    assert "\n" not in str(refusal.value)
    assert 'embedding.model = "local-dir:/folder"' in str(refusal.value)
    assert capfd.readouterr().err == ""


def test_preprocessing_follows_published_weights() -> None:
    siglip = clip_loader._published("ViT-B-16-SigLIP2")
    assert siglip["image_mean"] == siglip["image_std"] == (0.5, 0.5, 0.5)
    assert siglip["image_resize_mode"] == "squash"
    assert clip_loader._published("tiny") == {}


def test_truncated_tokens_are_counted(folder: Path) -> None:
    model = load(in_folder(folder))
    assert [model.token_count(text) for text in ("", "shoe", "red shoe")] == [0, 3, 4]
    assert model.token_count("shoe " * 100) == 102


@pytest.fixture
def prompted(folder: Path) -> ClipEmbedder:
    return ClipEmbedder(replace(in_folder(folder), prompts=("a photo of {}", "{} {}")))


def test_tokenizer_and_text_model_load_from_the_folder(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    network, words = text_model_in(tmp_path)
    save_file(dict(network.state_dict()), tmp_path / "open_clip_model.safetensors")
    embedder = ClipEmbedder(in_folder(tmp_path))
    assert embedder.facts.context_length == 16
    assert [embedder.token_count(text) for text in ("red", "red shoe", "red " * 100)] == [3, 4, 102]
    assert embedder.texts(words).shape == (len(words), 16)


def text_model_in(folder: Path) -> tuple[torch.nn.Module, list[str]]:
    """Return a model with a text tower and tokenizer of transformers, and its words."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "red": 4, "shoe": 5}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    ).save_pretrained(folder)
    (folder / "text").mkdir()
    (folder / "text" / "config.json").write_text(json.dumps(SMALL_ROBERTA))
    text = {
        "hf_model_name": str(folder / "text"),
        "hf_tokenizer_name": "org/name",
        "hf_pooler_type": "mean_pooler",
        "context_length": 16,
    }
    folder_model(folder, model_cfg={**TINY, "text_cfg": text})
    made = {**TINY, "text_cfg": {**text, "hf_model_pretrained": False}}
    return open_clip.CustomTextCLIP(**made), ["red", "red shoe"]


def test_prompts_are_averaged(folder: Path, prompted: ClipEmbedder) -> None:
    plain = ClipEmbedder(in_folder(folder))
    rows = plain.texts(["a photo of shoe", "shoe shoe", "a photo of hat", "hat hat"])
    means = rows.reshape(2, 2, -1).mean(axis=1)
    expected = means / np.linalg.norm(means, axis=1, keepdims=True)
    assert np.allclose(prompted.queries(["shoe", "hat"]), expected, atol=1e-6)
    assert prompted.queries([]).shape == (0, 16)
    # Prompts apply to queries only, not to stored texts.
    assert np.allclose(prompted.texts(["shoe"]), plain.texts(["shoe"]), atol=1e-6)
    assert prompted.token_count("shoe") == 6
