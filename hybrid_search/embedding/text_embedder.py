"""Embedding of texts with the text tower of a CLIP model."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
import torch

from hybrid_search.core.errors import EngineFailure
from hybrid_search.core.model_choice import ModelChoice
from hybrid_search.core.ports import ModelFacts, Vectors
from hybrid_search.embedding.clip_model import ClipTextModel
from hybrid_search.embedding.model_registry import query_prompts


class ClipTextEmbedder:
    """The text methods of an ``Embedder`` on the CPU, one forward pass at a time."""

    def __init__(self, choice: ModelChoice, model: ClipTextModel, image_size: int) -> None:
        """``image_size`` is for the model's facts; a text tower does not know it."""
        self._choice = choice
        self._prompts = query_prompts(choice)
        self._text_model = model
        self._facts = self._describe(image_size)
        self._turn = threading.Lock()

    @property
    def facts(self) -> ModelFacts:
        """What identifies the model."""
        return self._facts

    def texts(self, texts: Sequence[str]) -> Vectors:
        """See ``Embedder.texts``."""
        size = self._choice.batch_size
        parts = [
            self._forward(
                self._text_model.encode_text,
                self._text_model.tokenize(list(texts[start : start + size])),
            )
            for start in range(0, len(texts), size)
        ]
        return self._stack(parts)

    def queries(self, texts: Sequence[str]) -> Vectors:
        """See ``Embedder.queries``. With several prompts, the normalised mean of their vectors."""
        rows, count = self.texts(self._prompted(texts)), len(self._prompts)
        return rows if count == 1 else _means(rows.reshape(-1, count, self._facts.dimension))

    def token_count(self, text: str) -> int:
        """See ``Embedder.token_count``; the count is that of the longest prompt."""
        return max(self._text_model.token_count(prompted) for prompted in self._prompted([text]))

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

    def _describe(self, image_size: int) -> ModelFacts:
        model = self._text_model
        with torch.inference_mode():
            dimension = int(model.encode_text(model.tokenize([""])).shape[-1])
        return ModelFacts(
            name=self._choice.name,
            weights_sha256=model.weights_sha256,
            dimension=dimension,
            context_length=model.context_length,
            image_size=image_size,
            languages=("en", "ko") if self._choice.source == "embedded" else (),
            precision="fp32" if model.dtype == torch.float32 else "bf16",
        )


def _means(rows: Vectors) -> Vectors:
    """The L2-normalised mean of each group: ``(n, k, d)`` to ``(n, d)``."""
    means = rows.mean(axis=1)
    return np.asarray(means / np.linalg.norm(means, axis=-1, keepdims=True), np.float32)


def use_threads(choice: ModelChoice) -> None:
    """Set the threads of forward passes for the process; 0 keeps torch's default."""
    if choice.threads:
        torch.set_num_threads(choice.threads)
