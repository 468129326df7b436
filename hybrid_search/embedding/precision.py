"""Half precision where it pays: tried at load, kept only where vectors stay what they were."""

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
"""Between a vector in bf16 and in fp32; below it, ranks of near pictures begin to change."""
_WORTHWHILE = 1.5
"""How much faster than fp32 matrix products in bf16 must be, for all else is not faster."""
_TEXTS = ("a red shoe on a white table", "여름 세일, 무료 배송", "50% OFF", "")


def settled(load: Callable[[], ClipModel], choice: ModelChoice) -> ClipModel:
    """The model in the precision that the choice asks for.

    Raises ``InvalidConfig`` where bf16 is demanded and does not hold its cosine.
    """
    model = load()
    if not _worth_trying(choice):
        return model
    exact = _trial(model)
    # In place: two copies of large weights may not fit into memory.
    half = replace(model, network=model.network.to(torch.bfloat16), dtype=torch.bfloat16)
    cosine = float((exact * _trial(half)).sum(dim=-1).min())
    if cosine >= LEAST_COSINE:
        return half
    if choice.precision == "bf16":
        raise InvalidConfig(
            f"embedding.precision = 'bf16': the least cosine to fp32 of {choice.name} is"
            f" {cosine:.5f}, wanted is {LEAST_COSINE}; set it to 'auto'"
        )
    return load()


def _worth_trying(choice: ModelChoice) -> bool:
    if choice.precision == "auto":
        # The embedded model is known to miss the cosine: .993, its convolutions are narrow.
        return choice.source != "embedded" and bf16_is_faster()
    return choice.precision == "bf16"


def bf16_is_faster() -> bool:
    """Whether this processor multiplies matrices so much faster in bf16 that it is worthwhile."""
    return _product_seconds(torch.float32) > _WORTHWHILE * _product_seconds(torch.bfloat16)


def _product_seconds(dtype: torch.dtype) -> float:
    """The best of some products of the size that transformers have."""
    rows, weights = torch.ones(256, 768, dtype=dtype), torch.ones(768, 768, dtype=dtype)
    times = []
    with torch.inference_mode():
        for _ in range(9):
            started = time.perf_counter()
            torch.nn.functional.linear(rows, weights)
            times.append(time.perf_counter() - started)
    return min(times)


def _trial(model: ClipModel) -> torch.Tensor:
    """Unit rows of some pictures and texts."""
    pixels = torch.stack([model.preprocess(picture) for picture in _pictures()])
    with torch.inference_mode():
        rows = (model.encode_image(pixels), model.encode_text(model.tokenize(list(_TEXTS))))
        return torch.nn.functional.normalize(torch.cat([r.float() for r in rows]), dim=-1)


def _pictures() -> list[Image.Image]:
    """A plain one, a gradient, stripes, and noise."""
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8), (256, 256))
    noise = np.random.default_rng(1).integers(0, 256, (256, 256, 3), np.uint8)
    stripes = np.where(ramp // 16 % 2, 255, 0).astype(np.uint8)
    layers = [np.stack([ramp, ramp.T, 255 - ramp], -1), np.stack([stripes, ramp, stripes.T], -1)]
    return [Image.new("RGB", (256, 256), "teal"), *map(Image.fromarray, (*layers, noise))]
