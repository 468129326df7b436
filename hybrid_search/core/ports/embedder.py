"""The model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from PIL import Image

from hybrid_search.core.arrays import Vectors
from hybrid_search.core.preprocess_spec import Pixels, PreprocessSpec


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What identifies an embedding model."""

    name: str
    weights_sha256: str
    dimension: int
    context_length: int
    image_size: int
    languages: tuple[str, ...]
    precision: Literal["fp32", "bf16"] = "fp32"

    @property
    def key(self) -> str:
        """Names the space of its vectors: equal keys, comparable vectors.

        The precision is no part of it: bf16 is used only where its vectors lie at a cosine of at
        least .999 to those of fp32, far nearer than any two pictures that a search tells apart.
        """
        return f"{self.name}@{self.weights_sha256[:16]}/{self.dimension}"


class Embedder(Protocol):
    """Pictures and texts into one space. Safe to call from several threads."""

    @property
    def facts(self) -> ModelFacts:
        """What identifies the model."""
        ...

    @property
    def preprocess_spec(self) -> PreprocessSpec:
        """How an image becomes the model's input."""
        ...

    def pixels(self, batch: Pixels) -> Vectors:
        """One unit row per prepared picture ``(n, h, w, 3)`` uint8, ``(n, d)`` float32."""
        ...

    def pictures(self, pictures: Sequence[Image.Image]) -> Vectors:
        """One unit row per RGB picture of any size, ``(n, d)`` float32."""
        ...

    def texts(self, texts: Sequence[str]) -> Vectors:
        """One unit row per text, ``(n, d)`` float32; what is beyond the context length is cut."""
        ...

    def queries(self, texts: Sequence[str]) -> Vectors:
        """The same for what people ask: in the prompts that help the model, where any do."""
        ...

    def token_count(self, text: str) -> int:
        """Tokens of the text, the cut ones and what the model adds included."""
        ...
