"""Pictures and texts into one space by any model that open_clip knows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image

from hybrid_search.adapters.clip_models import load
from hybrid_search.adapters.clip_precision import settled
from hybrid_search.errors import EngineFailure
from hybrid_search.model_choices import ModelChoice
from hybrid_search.ports import ModelFacts, Vectors


class ClipEmbedder:
    """An ``Embedder`` over one open_clip model on the CPU, one forward pass at a time."""

    def __init__(self, choice: ModelChoice | None = None) -> None:
        """Load the model; raises ``InvalidConfig`` for one that cannot be had."""
        self._choice = choice or ModelChoice()
        if self._choice.threads:
            torch.set_num_threads(self._choice.threads)
        self._model = settled(lambda: load(self._choice), self._choice)
        self._preprocess = self._model.preprocess
        self._facts = self._describe()
        self._turn = threading.Lock()

    @property
    def facts(self) -> ModelFacts:
        """What identifies the model."""
        return self._facts

    def pictures(self, pictures: Sequence[Image.Image]) -> Vectors:
        """One unit row per RGB picture, ``(n, d)`` float32."""
        size = self._choice.batch_size
        parts = [
            self._forward(self._model.encode_image, self._pixels(pictures[start : start + size]))
            for start in range(0, len(pictures), size)
        ]
        return self._stack(parts)

    def texts(self, texts: Sequence[str]) -> Vectors:
        """One unit row per text, ``(n, d)`` float32; text beyond the context length is cut.

        With several prompts, the unit vector towards the mean of a text's vectors in each.
        """
        size, prompted = self._choice.batch_size, self._prompted(texts)
        parts = [
            self._forward(
                self._model.encode_text, self._model.tokenize(prompted[start : start + size])
            )
            for start in range(0, len(prompted), size)
        ]
        rows = self._stack(parts)
        count = len(self._choice.prompts)
        return rows if count == 1 else _means(rows.reshape(-1, count, self._facts.dimension))

    def token_count(self, text: str) -> int:
        """Tokens of the text in its longest prompt, those beyond the context length included."""
        return max(self._model.token_count(prompted) for prompted in self._prompted([text]))

    def _prompted(self, texts: Sequence[str]) -> list[str]:
        return [prompt.replace("{}", text) for text in texts for prompt in self._choice.prompts]

    def _pixels(self, pictures: Sequence[Image.Image]) -> torch.Tensor:
        batch = torch.stack([self._preprocess(picture) for picture in pictures])
        # Convolutions on the CPU run half as long again in any other order of memory.
        return batch.contiguous(memory_format=torch.channels_last)

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
