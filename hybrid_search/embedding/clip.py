"""Pictures and texts into one space by any model that open_clip knows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import open_clip
import torch
from PIL import Image

from hybrid_search.core.errors import EngineFailure
from hybrid_search.core.model_choice import ModelChoice
from hybrid_search.core.ports import ModelFacts, Vectors
from hybrid_search.core.preprocess_spec import Pixels, PreprocessSpec
from hybrid_search.embedding.clip_loader import load
from hybrid_search.embedding.model_registry import query_prompts
from hybrid_search.embedding.precision import settled
from hybrid_search.images.preprocess import preprocess


class ClipEmbedder:
    """An ``Embedder`` over one open_clip model on the CPU, one forward pass at a time."""

    def __init__(self, choice: ModelChoice | None = None) -> None:
        """Load the model; raises ``InvalidConfig`` for one that cannot be had."""
        self._choice = choice or ModelChoice()
        self._prompts = query_prompts(self._choice)
        if self._choice.threads:
            torch.set_num_threads(self._choice.threads)
        self._model = settled(lambda: load(self._choice), self._choice)
        self._facts = self._describe()
        self._preprocess_spec, self._scale = _preprocessing(self._model.network)
        self._turn = threading.Lock()

    @property
    def facts(self) -> ModelFacts:
        """What identifies the model."""
        return self._facts

    @property
    def preprocess_spec(self) -> PreprocessSpec:
        """How an image becomes the model's input."""
        return self._preprocess_spec

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
        prepared = [preprocess(picture, self._preprocess_spec) for picture in pictures]
        return self.pixels(np.stack(prepared)) if prepared else self._stack([])

    def texts(self, texts: Sequence[str]) -> Vectors:
        """One unit row per text, ``(n, d)`` float32; text beyond the context length is cut."""
        size = self._choice.batch_size
        parts = [
            self._forward(
                self._model.encode_text, self._model.tokenize(list(texts[start : start + size]))
            )
            for start in range(0, len(texts), size)
        ]
        return self._stack(parts)

    def queries(self, texts: Sequence[str]) -> Vectors:
        """The same for what people ask, put into the model's prompts.

        With several prompts, the unit vector towards the mean of a text's vectors in each.
        """
        rows, count = self.texts(self._prompted(texts)), len(self._prompts)
        return rows if count == 1 else _means(rows.reshape(-1, count, self._facts.dimension))

    def token_count(self, text: str) -> int:
        """Tokens of the text in its longest prompt, those beyond the context length included."""
        return max(self._model.token_count(prompted) for prompted in self._prompted([text]))

    def _prompted(self, texts: Sequence[str]) -> list[str]:
        return [prompt.replace("{}", text) for text in texts for prompt in self._prompts]

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
            dimension = int(self._model.encode_text(self._model.tokenize([""])).shape[-1])
        return ModelFacts(
            name=self._choice.name,
            weights_sha256=self._model.weights_sha256,
            dimension=dimension,
            context_length=self._model.context_length,
            image_size=self._model.image_size,
            languages=("en", "ko") if self._choice.source == "embedded" else (),
            precision="fp32" if self._model.dtype == torch.float32 else "bf16",
        )


def _means(rows: Vectors) -> Vectors:
    """The unit vector towards the mean of each group, ``(n, k, d)`` to ``(n, d)``."""
    means = rows.mean(axis=1)
    return np.asarray(means / np.linalg.norm(means, axis=-1, keepdims=True), np.float32)


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


def _preprocessing(network: Any) -> tuple[PreprocessSpec, _Scale]:
    """What open_clip would do to a picture for this model, in two parts."""
    asked = open_clip.transform.PreprocessCfg(**network.visual.preprocess_cfg)
    height, width = asked.size if isinstance(asked.size, (tuple, list)) else (asked.size,) * 2
    spec = PreprocessSpec(width, height, asked.resize_mode, asked.interpolation, asked.fill_color)
    return spec, _Scale(asked.mean, asked.std)
