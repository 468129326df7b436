"""An embedder without a model: equal inputs have equal vectors, others unrelated ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from hybrid_search.core import Digest, digest_of
from hybrid_search.core.ports import ModelFacts, Vectors
from hybrid_search.core.preprocess_spec import Pixels, PreprocessSpec
from hybrid_search.images.preprocess import preprocess


class HashEmbedder:
    """An ``Embedder`` of random vectors, seeded by the hash of the input.

    Pictures and texts are unrelated.
    """

    def __init__(self, dimension: int = 64) -> None:
        self.facts = ModelFacts("hash", "0" * 64, dimension, 1 << 20, 32, ())
        self.preprocess_spec = PreprocessSpec(32, 32)

    def pixels(self, batch: Pixels) -> Vectors:
        return self._rows([digest_of(picture.tobytes()) for picture in batch])

    def pictures(self, pictures: Sequence[Image.Image]) -> Vectors:
        return self._rows(
            [digest_of(preprocess(p, self.preprocess_spec).tobytes()) for p in pictures]
        )

    def texts(self, texts: Sequence[str]) -> Vectors:
        return self._rows([digest_of(text.encode("utf-8", "replace")) for text in texts])

    def queries(self, texts: Sequence[str]) -> Vectors:
        """The same as ``texts``: there are no prompts."""
        return self.texts(texts)

    def token_count(self, text: str) -> int:
        """The number of characters; no text is truncated."""
        return len(text)

    def _rows(self, digests: Sequence[Digest]) -> Vectors:
        rows = np.empty((len(digests), self.facts.dimension), np.float32)
        for place, digest in enumerate(digests):
            chance = np.random.default_rng(int(digest[:16], 16))
            drawn = chance.normal(size=self.facts.dimension)
            rows[place] = drawn / np.linalg.norm(drawn)
        return rows
