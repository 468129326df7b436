"""The embedding model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from hybrid_search.core.arrays import Vectors
from hybrid_search.core.preprocess_spec import Pixels, PreprocessSpec

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What identifies an embedding model, and its limits."""

    name: str
    weights_sha256: str
    dimension: int
    context_length: int
    image_size: int
    languages: tuple[str, ...]
    precision: Literal["fp32", "bf16"] = "fp32"

    @property
    def key(self) -> str:
        """The name of the vector space: vectors of models with equal keys are comparable.

        The precision is not part of it. bf16 is used only where its vectors have a cosine of at
        least .999 to those of fp32, closer than any two pictures that a search distinguishes.
        """
        return f"{self.name}@{self.weights_sha256[:16]}/{self.dimension}"


class Embedder(Protocol):
    """Embeds pictures and texts in one vector space. Safe to call from several threads.

    All methods return ``(n, d)`` float32 with L2-normalised rows, in the order of the input.
    """

    @property
    def facts(self) -> ModelFacts:
        """What identifies the model."""
        ...

    @property
    def preprocess_spec(self) -> PreprocessSpec:
        """How an image becomes the model's input."""
        ...

    def pixels(self, batch: Pixels) -> Vectors:
        """One vector for each preprocessed picture of ``(n, h, w, 3)`` uint8."""
        ...

    def pictures(self, pictures: Sequence[Image.Image]) -> Vectors:
        """One vector for each RGB picture of any size."""
        ...

    def texts(self, texts: Sequence[str]) -> Vectors:
        """One vector for each text, which is truncated to the context length."""
        ...

    def queries(self, texts: Sequence[str]) -> Vectors:
        """One vector for each query text, embedded with the model's prompt templates."""
        ...

    def token_count(self, text: str) -> int:
        """Number of tokens of the query text, with truncated and special tokens."""
        ...
