"""Model names, and consistency of the catalogue."""

from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch

from hybrid_search.core.model_choice import AS_TYPED, ModelChoice, WeightSource
from hybrid_search.embedding.model_folder import EMBEDDED_FOLDER
from hybrid_search.embedding.model_registry import CatalogueEntry, catalogue, query_prompts
from hybrid_search.settings.sections import EmbeddingSection

ENTRIES = catalogue()
FETCHED = [entry for entry in ENTRIES if entry.hub is not None]


def name_of(entry: CatalogueEntry) -> str:
    return f"{entry.model}:{entry.pretrained}"


def config_of(entry: CatalogueEntry) -> dict[str, Any]:
    embedded = entry.model == "embedded"
    named = f"local-dir:{EMBEDDED_FOLDER}" if embedded else entry.model
    config: dict[str, Any] = open_clip.get_model_config(named)
    return config


@pytest.mark.parametrize(
    ("model", "pretrained", "source", "name"),
    [
        ("embedded", None, "embedded", "embedded"),
        ("local-dir:/models/shop", None, "folder", "local-dir:shop"),
        ("hf-hub:org/name", None, "hub", "hf-hub:org/name"),
        ("ViT-B-32", "laion2b_e16", "tag", "ViT-B-32:laion2b_e16"),
        ("ViT-B-32", "/models/w.safetensors", "file", "ViT-B-32:w.safetensors"),
        ("ViT-B-32", "w.pt", "file", "ViT-B-32:w.pt"),
        ("ViT-B-32", "random", "random", "ViT-B-32:random"),
        ("ViT-B-32", None, "unset", "ViT-B-32"),
    ],
)
def test_model_choice_determines_the_source_of_weights(
    model: str, pretrained: str | None, source: WeightSource, name: str
) -> None:
    choice = ModelChoice(model, pretrained)
    assert (choice.source, choice.name) == (source, name)


@pytest.mark.parametrize("entry", ENTRIES, ids=name_of)
def test_catalogue_entries_match_open_clip(entry: CatalogueEntry) -> None:
    config = config_of(entry)
    assert entry.dimension == config["embed_dim"]
    assert entry.image_size == config["vision_cfg"]["image_size"]
    assert entry.context_length == config["text_cfg"].get("context_length", 77)
    needed = ("transformers",) if "hf_tokenizer_name" in config["text_cfg"] else ()
    assert entry.needs == needed


@pytest.mark.parametrize("entry", FETCHED, ids=name_of)
def test_catalogue_weights_are_published(entry: CatalogueEntry) -> None:
    assert (entry.model, entry.pretrained) in open_clip.list_pretrained()
    published = open_clip.get_pretrained_cfg(entry.model, entry.pretrained)
    assert f"{entry.hub}/" == published["hf_hub"]
    quick = open_clip.get_model_config(entry.model).get("quick_gelu", False)
    assert published.get("quick_gelu", False) == quick


@pytest.mark.parametrize("entry", ENTRIES, ids=name_of)
def test_the_parameters_are_counted(entry: CatalogueEntry) -> None:
    config = dict(config_of(entry))
    if "hf_model_name" in config["text_cfg"]:
        pytest.skip("its text model is described on the hub alone")
    made = open_clip.CustomTextCLIP if config.pop("custom_text", False) else open_clip.CLIP
    with torch.device("meta"):
        network = made(**config)
    assert entry.parameters == sum(weights.numel() for weights in network.parameters())
    assert entry.memory("fp32") == 2 * entry.memory("bf16") == 4 * entry.parameters


def test_the_embedded_model_is_the_default_and_first() -> None:
    assert ENTRIES[0].model == EmbeddingSection().model == "embedded"


def test_prompts_default_to_the_catalogue() -> None:
    openai = EmbeddingSection(model="ViT-L-14-quickgelu", pretrained="openai")
    assert query_prompts(openai.choice()) == ("a photo of {}",)
    assert query_prompts(ModelChoice()) == query_prompts(ModelChoice("no", "such")) == AS_TYPED
    none = openai.model_copy(update={"prompts": ()})
    assert query_prompts(none.choice()) == AS_TYPED
    own = EmbeddingSection(prompts=("an advert for {}",))
    assert query_prompts(own.choice()) == ("an advert for {}",)


@pytest.mark.parametrize("prompt", ["a photo", "{} and {}", "{name}", "{", "{}" * 101])
def test_prompt_has_exactly_one_placeholder(prompt: str) -> None:
    with pytest.raises(ValueError, match="prompts"):
        EmbeddingSection(prompts=(prompt,))


def test_home_folder_is_expanded() -> None:
    assert ModelChoice("local-dir:~/clip").folder == Path.home() / "clip"
