"""bf16 inference: tried at load, used only if it is faster and the vectors stay the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from hybrid_search.core.errors import InvalidConfig
from hybrid_search.core.model_choice import ModelChoice
from hybrid_search.embedding.clip_model import ClipModel

LEAST_COSINE = 0.999
"""Least cosine between vectors in bf16 and fp32; below it, ranks of similar pictures change."""
_WORTHWHILE = 1.5
"""Least speed-up of matrix products in bf16, because the other operations are not faster."""
_TEXTS = ("a red shoe on a white table", "여름 세일, 무료 배송", "50% OFF", "")


def settled(load: Callable[[], ClipModel], choice: ModelChoice) -> ClipModel:
    """The model in the precision of the choice.

    Raises ``InvalidConfig`` if bf16 is required and its vectors are below ``LEAST_COSINE``.
    """
    model = load()
    if not _worth_trying(choice):
        return model
    exact = _trial(model)
    # Converted in place: two copies of large weights may not fit into memory.
    half = replace(model, network=model.network.to(torch.bfloat16), dtype=torch.bfloat16)
    cosine = float((exact * _trial(half)).sum(dim=-1).min())
    if cosine >= LEAST_COSINE:
        return half
    if choice.precision == "bf16":
        raise InvalidConfig(
            f"embedding.precision = 'bf16': the least cosine to fp32 of {choice.name} is"
            f" {cosine:.5f}, it must be {LEAST_COSINE}; set it to 'auto'"
        )
    return load()


def _worth_trying(choice: ModelChoice) -> bool:
    if choice.precision == "auto":
        # The model in the package reaches a cosine of .993 only: its convolutions are narrow.
        return choice.source != "embedded" and bf16_is_faster()
    return choice.precision == "bf16"


def bf16_is_faster() -> bool:
    """Whether bf16 matrix products are enough faster than fp32 on this processor."""
    return _product_seconds(torch.float32) > _WORTHWHILE * _product_seconds(torch.bfloat16)


def _product_seconds(dtype: torch.dtype) -> float:
    """Least time of nine matrix products of a size that is common in transformers."""
    rows, weights = torch.ones(256, 768, dtype=dtype), torch.ones(768, 768, dtype=dtype)
    times = []
    with torch.inference_mode():
        for _ in range(9):
            started = time.perf_counter()
            torch.nn.functional.linear(rows, weights)
            times.append(time.perf_counter() - started)
    return min(times)


def _trial(model: ClipModel) -> torch.Tensor:
    """L2-normalised vectors ``(n, d)`` of some pictures and texts."""
    pixels = torch.stack([model.preprocess(picture) for picture in _pictures()])
    with torch.inference_mode():
        rows = (model.encode_image(pixels), model.encode_text(model.tokenize(list(_TEXTS))))
        return torch.nn.functional.normalize(torch.cat([r.float() for r in rows]), dim=-1)


def _pictures() -> list[Image.Image]:
    """A flat picture, a gradient, stripes and noise."""
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8), (256, 256))
    noise = np.random.default_rng(1).integers(0, 256, (256, 256, 3), np.uint8)
    stripes = np.where(ramp // 16 % 2, 255, 0).astype(np.uint8)
    layers = [np.stack([ramp, ramp.T, 255 - ramp], -1), np.stack([stripes, ramp, stripes.T], -1)]
    return [Image.new("RGB", (256, 256), "teal"), *map(Image.fromarray, (*layers, noise))]
