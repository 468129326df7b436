"""A loaded CLIP model, or its text tower alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image

_LONG = 2048
"""More tokens than a query can have."""

Preprocess = Callable[[Image.Image], torch.Tensor]


@dataclass(frozen=True, slots=True)
class ClipTextModel:
    """A network in inference mode that encodes texts, with its tokenizer."""

    network: Any
    tokenize: Any
    weights_sha256: str
    """SHA-256 over all stored weights of the model, independent of the precision in use."""
    dtype: torch.dtype = torch.float32

    def encode_text(self, tokens: torch.Tensor) -> torch.Tensor:
        """Vectors ``(n, d)`` of token ids ``(n, context_length)``, not normalised."""
        rows: torch.Tensor = self.network.encode_text(tokens)
        return rows

    @property
    def context_length(self) -> int:
        """Maximum number of tokens of a text."""
        return int(getattr(self.tokenize, "context_length", 0) or 0)

    def token_count(self, text: str) -> int:
        """Number of tokens of the text, with truncated and special tokens."""
        ids, empty = self.tokenize([text, ""], context_length=_LONG)
        # Where the ids equal those of an empty text there is only padding or an end token.
        differing = torch.nonzero(ids != empty)
        return int(differing[-1]) + 1 if len(differing) else 0


@dataclass(frozen=True, slots=True)
class ClipModel(ClipTextModel):
    """A network that also encodes pictures, with its preprocessing."""

    preprocess: Preprocess = field(kw_only=True)

    def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
        """Vectors ``(n, d)`` of preprocessed pictures ``(n, 3, height, width)``, not normalised."""
        rows: torch.Tensor = self.network.encode_image(pixels.to(self.dtype))
        return rows

    @property
    def image_size(self) -> int:
        """Side of the model's input, in pixels."""
        size = getattr(self.network.visual, "image_size", 0)
        return int(size[0] if isinstance(size, tuple) else size)


def hash_weights(weights: Iterable[tuple[str, torch.Tensor]]) -> str:
    """The SHA-256 over the names and values of the weights, which must be sorted by name."""
    digest = hashlib.sha256()
    for name, tensor in weights:
        digest.update(name.encode())
        digest.update(tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
