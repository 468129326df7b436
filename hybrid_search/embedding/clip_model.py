"""A loaded CLIP model, or its text tower alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image

_LONG = 2048
"""Tokens, more than a query can have."""

Preprocess = Callable[[Image.Image], torch.Tensor]


@dataclass(frozen=True, slots=True)
class ClipTextModel:
    """A network in inference mode that encodes texts, with its tokenizer."""

    network: Any
    tokenize: Any
    weights_sha256: str
    """Over all weights of the model as they were stored, whatever precision they are used in."""
    dtype: torch.dtype = torch.float32

    def encode_text(self, tokens: torch.Tensor) -> torch.Tensor:
        """A row ``(d,)`` for each text's token ids ``(context_length,)``."""
        rows: torch.Tensor = self.network.encode_text(tokens)
        return rows

    @property
    def context_length(self) -> int:
        """Tokens of a text that are read."""
        return int(getattr(self.tokenize, "context_length", 0) or 0)

    def token_count(self, text: str) -> int:
        """Tokens of the text, including the start and end tokens and those that are not read."""
        ids, empty = self.tokenize([text, ""], context_length=_LONG)
        # Only padding and end tokens stand where an empty text has them too.
        differing = torch.nonzero(ids != empty)
        return int(differing[-1]) + 1 if len(differing) else 0


@dataclass(frozen=True, slots=True)
class ClipModel(ClipTextModel):
    """The same with the image tower and the transform that belongs to it."""

    preprocess: Preprocess = field(kw_only=True)

    def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
        """A row ``(d,)`` for each prepared picture ``(3, height, width)``."""
        rows: torch.Tensor = self.network.encode_image(pixels.to(self.dtype))
        return rows

    @property
    def image_size(self) -> int:
        """The side in pixels that pictures are resized to."""
        size = getattr(self.network.visual, "image_size", 0)
        return int(size[0] if isinstance(size, tuple) else size)


def hash_weights(weights: Iterable[tuple[str, torch.Tensor]]) -> str:
    """The SHA-256 over the names and values of all weights, which come in order of name."""
    digest = hashlib.sha256()
    for name, tensor in weights:
        digest.update(name.encode())
        digest.update(tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
