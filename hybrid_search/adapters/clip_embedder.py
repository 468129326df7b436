"""Pictures and texts into one space by any model that open_clip knows."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from PIL import Image

from hybrid_search.errors import EngineFailure, InvalidConfig
from hybrid_search.ports import ModelFacts, Vectors
from hybrid_search.preparation import Pixels, Preparation

EMBEDDED = "embedded"
EMBEDDED_FOLDER = Path(__file__).parents[1] / "models" / "hs_lite2_use512"
RANDOM = "random"
"""Stands for weights in a speed test: the architecture is real, its answers mean nothing."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which model is loaded, as it stands in the settings."""

    model: str = EMBEDDED
    pretrained: str | None = None
    batch_size: int = 16
    threads: int = 0

    @property
    def name(self) -> str:
        """The model's name as it stands in manifests."""
        return self.model if self.pretrained is None else f"{self.model}:{self.pretrained}"


@contextmanager
def _translated(choice: ModelChoice) -> Iterator[None]:
    """Map what open_clip raises while loading to a message about the setting."""
    try:
        yield
    except (RuntimeError, ValueError, OSError, KeyError, AttributeError, TypeError) as failure:
        raise InvalidConfig(
            f"embedding.model = {choice.name!r}: cannot be loaded, {failure}"
        ) from failure


class ClipEmbedder:
    """An ``Embedder`` over one open_clip model on the CPU, one forward pass at a time."""

    def __init__(self, choice: ModelChoice | None = None) -> None:
        """Load the model; raises ``InvalidConfig`` for one that cannot be had."""
        self._choice = choice or ModelChoice()
        if self._choice.threads:
            torch.set_num_threads(self._choice.threads)
        with _translated(self._choice):
            self._model, _, self._tokenize = _load(self._choice)
        self._facts = self._describe()
        self._preparation, self._scale = _preprocessing(self._model)
        self._turn = threading.Lock()

    @property
    def facts(self) -> ModelFacts:
        """What identifies the model."""
        return self._facts

    @property
    def preparation(self) -> Preparation:
        """How a picture becomes what the model looks at."""
        return self._preparation

    def pixels(self, batch: Pixels) -> Vectors:
        """One unit row per prepared picture ``(n, h, w, 3)`` uint8, ``(n, d)`` float32."""
        size = self._choice.batch_size
        parts = [
            self._forward(self._model.encode_image, self._scale(batch[start : start + size]))
            for start in range(0, len(batch), size)
        ]
        return self._stack(parts)

    def pictures(self, pictures: Sequence[Image.Image]) -> Vectors:
        """One unit row per RGB picture of any size, ``(n, d)`` float32."""
        prepared = [self._preparation(picture) for picture in pictures]
        return self.pixels(np.stack(prepared)) if prepared else self._stack([])

    def texts(self, texts: Sequence[str]) -> Vectors:
        """One unit row per text, ``(n, d)`` float32; text beyond the context length is cut."""
        size = self._choice.batch_size
        parts = [
            self._forward(
                self._model.encode_text, self._tokenize(list(texts[start : start + size]))
            )
            for start in range(0, len(texts), size)
        ]
        return self._stack(parts)

    def _forward(self, encode: Callable[..., torch.Tensor], batch: torch.Tensor) -> Vectors:
        with self._turn, torch.inference_mode():
            try:
                rows = torch.nn.functional.normalize(encode(batch).float(), dim=-1)
            except RuntimeError as failure:
                raise EngineFailure(f"torch: {failure}") from failure
        vectors: Vectors = rows.numpy()
        return vectors

    def _stack(self, parts: list[Vectors]) -> Vectors:
        empty = np.empty((0, self._facts.dimension), np.float32)
        return np.concatenate([empty, *parts])

    def _describe(self) -> ModelFacts:
        with torch.inference_mode():
            dimension = int(self._model.encode_text(self._tokenize([""])).shape[-1])
        size = getattr(self._model.visual, "image_size", (0, 0))
        return ModelFacts(
            name=self._choice.name,
            weights_sha256=_hash_weights(self._model),
            dimension=dimension,
            context_length=int(getattr(self._tokenize, "context_length", 0) or 0),
            image_size=int(size[0] if isinstance(size, tuple) else size),
            languages=("en", "ko") if self._choice.model == EMBEDDED else (),
        )


class _Scale:
    """Prepared pixels into the numbers that the model was trained on."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self._mean = torch.tensor(mean).view(3, 1, 1)
        self._std = torch.tensor(std).view(3, 1, 1)

    def __call__(self, batch: Pixels) -> torch.Tensor:
        """``(n, 3, h, w)`` float32 in the order of memory ``channels_last``."""
        # The pixels already lie in the order in which convolutions on the CPU are fastest.
        channels = torch.tensor(batch).permute(0, 3, 1, 2).float()
        return channels.div_(255).sub_(self._mean).div_(self._std)


def _preprocessing(model: Any) -> tuple[Preparation, _Scale]:
    """What open_clip would do to a picture for this model, in two parts."""
    asked = open_clip.transform.PreprocessCfg(**model.visual.preprocess_cfg)
    height, width = asked.size if isinstance(asked.size, (tuple, list)) else (asked.size,) * 2
    preparation = Preparation(
        width, height, asked.resize_mode, asked.interpolation, asked.fill_color
    )
    return preparation, _Scale(asked.mean, asked.std)


def _load(choice: ModelChoice) -> tuple[Any, Callable[[Image.Image], torch.Tensor], Any]:
    """The model in inference mode, its transform for pictures, its tokenizer."""
    # open_clip reports each step of loading at the level of warnings.
    logging.getLogger("open_clip").setLevel(logging.ERROR)
    name, pretrained, tokenizer_options = _resolve(choice)
    model, _, preprocess = open_clip.create_model_and_transforms(name, pretrained=pretrained)
    model.eval().requires_grad_(False)
    model.to(memory_format=torch.channels_last)
    return model, preprocess, open_clip.get_tokenizer(name, **tokenizer_options)


def _resolve(choice: ModelChoice) -> tuple[str, str | None, dict[str, str]]:
    """What open_clip calls the model, its weights, and its tokenizer's vocabulary."""
    name = f"local-dir:{EMBEDDED_FOLDER}" if choice.model == EMBEDDED else choice.model
    if name.startswith("local-dir:"):
        vocabulary = Path(name.removeprefix("local-dir:")) / "bpe.txt.gz"
        # Without it open_clip would take its own English vocabulary.
        return name, None, {"bpe_path": str(vocabulary)} if vocabulary.is_file() else {}
    if name.startswith("hf-hub:") or choice.pretrained == RANDOM:
        return name, None, {}
    if choice.pretrained is None:
        raise ValueError("embedding.pretrained must name weights for it: a tag or a local file")
    return name, choice.pretrained, {}


def _hash_weights(model: torch.nn.Module) -> str:
    """The SHA-256 over the names and values of all weights, in order of name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
