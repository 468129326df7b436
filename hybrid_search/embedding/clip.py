"""An embedder for every model of open_clip, on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import open_clip
import torch
from PIL import Image

from hybrid_search.core.model_choice import ModelChoice
from hybrid_search.core.ports import Vectors
from hybrid_search.core.preprocess_spec import Pixels, PreprocessSpec
from hybrid_search.embedding.clip_loader import load
from hybrid_search.embedding.precision import settled
from hybrid_search.embedding.text_embedder import ClipTextEmbedder, use_threads
from hybrid_search.images.preprocess import preprocess


class ClipEmbedder(ClipTextEmbedder):
    """An ``Embedder`` with one open_clip model, which runs one forward pass at a time."""

    def __init__(self, choice: ModelChoice | None = None) -> None:
        """Load the model; raises ``InvalidConfig`` if it cannot be loaded."""
        choice = choice or ModelChoice()
        use_threads(choice)
        self._model = settled(lambda: load(choice), choice)
        super().__init__(choice, self._model, self._model.image_size)
        self._preprocess_spec, self._scale = _preprocessing(self._model.network)

    @property
    def preprocess_spec(self) -> PreprocessSpec:
        """How an image becomes the model's input."""
        return self._preprocess_spec

    def pixels(self, batch: Pixels) -> Vectors:
        """See ``Embedder.pixels``."""
        size = self._choice.batch_size
        parts = [
            self._forward(self._model.encode_image, self._scale(batch[start : start + size]))
            for start in range(0, len(batch), size)
        ]
        return self._stack(parts)

    def pictures(self, pictures: Sequence[Image.Image]) -> Vectors:
        """See ``Embedder.pictures``."""
        prepared = [preprocess(picture, self._preprocess_spec) for picture in pictures]
        return self.pixels(np.stack(prepared)) if prepared else self._stack([])


class _Scale:
    """Normalises pixels with the mean and standard deviation of the model's training."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self._mean = torch.tensor(mean).view(3, 1, 1)
        self._std = torch.tensor(std).view(3, 1, 1)

    def __call__(self, batch: Pixels) -> torch.Tensor:
        """``(n, 3, h, w)`` float32 in memory format ``channels_last``."""
        # The pixels are already in the memory format in which convolutions are fastest.
        channels = torch.tensor(batch).permute(0, 3, 1, 2).float()
        return channels.div_(255).sub_(self._mean).div_(self._std)


def _preprocessing(network: Any) -> tuple[PreprocessSpec, _Scale]:
    """open_clip's preprocessing for this model, in two parts."""
    asked = open_clip.transform.PreprocessCfg(**network.visual.preprocess_cfg)
    height, width = asked.size if isinstance(asked.size, (tuple, list)) else (asked.size,) * 2
    spec = PreprocessSpec(width, height, asked.resize_mode, asked.interpolation, asked.fill_color)
    return spec, _Scale(asked.mean, asked.std)
