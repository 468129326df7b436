"""Loading of open_clip models without executing code from model files.

Weights are safetensors, or torch files that are read with ``weights_only``. A file that would have
to be unpickled is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import open_clip
import orjson
import torch

from hybrid_search.core.model_choice import FOLDER_PREFIX, ModelChoice
from hybrid_search.embedding.clip_model import ClipModel, Preprocess, hash_weights
from hybrid_search.embedding.load_errors import load_errors
from hybrid_search.embedding.model_folder import CONFIG, EMBEDDED_FOLDER, VOCABULARY

_WEIGHT_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")


def load(choice: ModelChoice) -> ClipModel:
    """The model in fp32; raises ``InvalidConfig`` if it cannot be loaded."""
    with load_errors(choice), _quiet():
        network, preprocess, tokenize = _LOADERS[choice.source](choice)
    network.eval().requires_grad_(False)
    network.to(memory_format=torch.channels_last)
    return ClipModel(
        network, tokenize, hash_weights(sorted(network.state_dict().items())), preprocess=preprocess
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress open_clip's messages on the root logger; real problems are exceptions."""
    root = logging.getLogger()
    root.addFilter(_not_open_clip)
    try:
        yield
    finally:
        root.removeFilter(_not_open_clip)


def _not_open_clip(record: logging.LogRecord) -> bool:
    return Path(record.pathname).parent.name != "open_clip"


def _load_embedded(_: ModelChoice) -> tuple[Any, Preprocess, Any]:
    return _load_folder(ModelChoice(f"{FOLDER_PREFIX}{EMBEDDED_FOLDER}"))


def _load_folder(choice: ModelChoice) -> tuple[Any, Preprocess, Any]:
    """The model from files in the folder only, without network access."""
    _refuse_pretrained(choice)
    text = _check_config(choice.folder)
    name = f"{FOLDER_PREFIX}{choice.folder}"
    vocabulary = choice.folder / VOCABULARY
    # Without it open_clip would use its own English vocabulary.
    options = {"bpe_path": str(vocabulary)} if vocabulary.is_file() else {}
    network, preprocess = open_clip.create_model_from_pretrained(name, weights_only=True)
    tokenize = open_clip.get_tokenizer(name, **options)
    size = getattr(tokenize, "vocab_size", None)
    if size is not None and size != text.get("vocab_size", size):
        raise ValueError(
            f"its text_cfg.vocab_size is {text['vocab_size']}, the vocabulary in"
            f" {vocabulary if options else 'open_clip'} has {size}"
        )
    return network, preprocess, tokenize


def _check_config(folder: Path) -> dict[str, Any]:
    """The folder's ``text_cfg``; raises ``ValueError`` for a configuration with missing values."""
    config = orjson.loads((folder / CONFIG).read_bytes())
    missing = [key for key in ("mean", "std") if key not in config.get("preprocess_cfg", {})]
    if missing:
        raise ValueError(f"{folder / CONFIG} must state preprocess_cfg.{missing[0]}")
    text: dict[str, Any] = config["model_cfg"]["text_cfg"]
    named = text.get("hf_model_name")
    if named is not None and not Path(named).is_dir():
        raise ValueError(
            f"{folder / CONFIG}: text_cfg.hf_model_name = {named!r} must be a local folder with"
            " the text model's config.json"
        )
    return text


def _load_hub(choice: ModelChoice) -> tuple[Any, Preprocess, Any]:
    _refuse_pretrained(choice)
    network, preprocess = open_clip.create_model_from_pretrained(choice.model, weights_only=True)
    return network, preprocess, open_clip.get_tokenizer(choice.model)


def _load_tag(choice: ModelChoice) -> tuple[Any, Preprocess, Any]:
    _check_tag(choice)
    network, preprocess = open_clip.create_model_from_pretrained(
        choice.model, pretrained=choice.pretrained, weights_only=True
    )
    return network, preprocess, open_clip.get_tokenizer(choice.model)


def _check_tag(choice: ModelChoice) -> None:
    """Raise ``ValueError`` for an unknown tag, or one trained with another activation function."""
    _check_architecture(choice)
    published = open_clip.get_pretrained_cfg(choice.model, choice.pretrained)
    if not published:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(choice.model)) or "none"
        raise ValueError(f"no such weights; open_clip has {tags}")
    trained = published.get("quick_gelu", False)
    if trained != open_clip.get_model_config(choice.model).get("quick_gelu", False):
        other = choice.model.removesuffix("-quickgelu") + ("-quickgelu" if trained else "")
        raise ValueError(f"these weights need the activation of embedding.model = {other!r}")


def _load_file(choice: ModelChoice) -> tuple[Any, Preprocess, Any]:
    """Local weights, with the preprocessing of the architecture's published weights."""
    _check_architecture(choice)
    path = Path(choice.pretrained or "").expanduser()
    if path.suffix not in _WEIGHT_SUFFIXES:
        raise ValueError(f"the name of a file of weights ends in {', '.join(_WEIGHT_SUFFIXES)}")
    if not path.is_file():
        raise ValueError(f"no file at {path}")
    network, preprocess = open_clip.create_model_from_pretrained(
        choice.model, pretrained=str(path), weights_only=True, **_published(choice.model)
    )
    return network, preprocess, open_clip.get_tokenizer(choice.model)


def _published(architecture: str) -> dict[str, Any]:
    """The preprocessing of the architecture, if all its published weights have the same."""
    found = [
        open_clip.get_pretrained_cfg(architecture, tag)
        for tag in open_clip.list_pretrained_tags_by_model(architecture)
    ]
    variants = {
        (tuple(f["mean"]), tuple(f["std"]), f["interpolation"], f["resize_mode"]) for f in found
    }
    if len(variants) != 1:
        return {}
    names = ("image_mean", "image_std", "image_interpolation", "image_resize_mode")
    return dict(zip(names, variants.pop(), strict=True))


def _load_random(choice: ModelChoice) -> tuple[Any, Preprocess, Any]:
    _check_architecture(choice)
    # A fixed seed: the vectors of an index must come from one model.
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network, _, preprocess = open_clip.create_model_and_transforms(
            choice.model, pretrained_text=False
        )
    return network, preprocess, open_clip.get_tokenizer(choice.model)


def _refuse_unset(choice: ModelChoice) -> tuple[Any, Preprocess, Any]:
    _check_architecture(choice)
    raise ValueError("embedding.pretrained must name weights for it: a tag or a local file")


def _refuse_pretrained(choice: ModelChoice) -> None:
    if choice.pretrained is not None:
        raise ValueError("embedding.pretrained must be left out, the model has its own weights")


def _check_architecture(choice: ModelChoice) -> None:
    if open_clip.get_model_config(choice.model) is None:
        raise ValueError("no such architecture; run: hybrid-search models")


_LOADERS: dict[str, Callable[[ModelChoice], tuple[Any, Preprocess, Any]]] = {
    "embedded": _load_embedded,
    "folder": _load_folder,
    "hub": _load_hub,
    "tag": _load_tag,
    "file": _load_file,
    "random": _load_random,
    "unset": _refuse_unset,
}
