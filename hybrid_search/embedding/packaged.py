"""The model in the package, whose text tower is loaded without open_clip.

Importing open_clip takes several seconds of CPU, and a text query does not need its image towers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import orjson
import torch
from PIL import Image
from safetensors import safe_open

from hybrid_search.core.model_choice import ModelChoice
from hybrid_search.core.ports import Embedder, ModelFacts, Vectors
from hybrid_search.core.preprocess_spec import Pixels, PreprocessSpec
from hybrid_search.embedding.bpe_tokenizer import BpeTokenizer
from hybrid_search.embedding.clip_model import ClipTextModel, hash_weights
from hybrid_search.embedding.load_errors import load_errors
from hybrid_search.embedding.model_folder import CONFIG, EMBEDDED_FOLDER, VOCABULARY, WEIGHTS
from hybrid_search.embedding.text_embedder import ClipTextEmbedder, use_threads
from hybrid_search.embedding.text_tower import TextTower

_IMAGE_TOWER = "visual."


class PackagedEmbedder:
    """An ``Embedder`` that loads its text tower at first, and the whole model for a picture."""

    def __init__(self, choice: ModelChoice) -> None:
        """Load the text tower; raises ``InvalidConfig`` if its files cannot be read."""
        self._choice = choice
        use_threads(choice)
        self._loading = threading.Lock()
        self._whole: Embedder | None = None
        with load_errors(choice):
            self._texts: ClipTextEmbedder | Embedder = _load_text_tower(choice)

    @property
    def facts(self) -> ModelFacts:
        """What identifies the model."""
        return self._texts.facts

    @property
    def preprocess_spec(self) -> PreprocessSpec:
        """How an image becomes the model's input; loads the whole model."""
        return self._loaded().preprocess_spec

    def pixels(self, batch: Pixels) -> Vectors:
        """See ``Embedder.pixels``; loads the whole model."""
        return self._loaded().pixels(batch)

    def pictures(self, pictures: Sequence[Image.Image]) -> Vectors:
        """See ``Embedder.pictures``; loads the whole model."""
        return self._loaded().pictures(pictures)

    def texts(self, texts: Sequence[str]) -> Vectors:
        """See ``Embedder.texts``."""
        return self._texts.texts(texts)

    def queries(self, texts: Sequence[str]) -> Vectors:
        """See ``Embedder.queries``."""
        return self._texts.queries(texts)

    def token_count(self, text: str) -> int:
        """See ``Embedder.token_count``."""
        return self._texts.token_count(text)

    def _loaded(self) -> Embedder:
        with self._loading:
            if self._whole is None:
                # This is the import that takes seconds.
                from hybrid_search.embedding.clip import ClipEmbedder

                # It has a text tower too, so the first one is dropped.
                self._texts = self._whole = ClipEmbedder(self._choice)
            return self._whole


def _load_text_tower(choice: ModelChoice) -> ClipTextEmbedder:
    config = orjson.loads((EMBEDDED_FOLDER / CONFIG).read_bytes())["model_cfg"]
    tower = TextTower(config)
    weights: dict[str, torch.Tensor] = {}
    sha256 = hash_weights(_read_weights(keep=weights))
    tower.load_state_dict({name: weights[name] for name in tower.state_dict()}, assign=True)
    tower.eval().requires_grad_(False)
    tokenizer = BpeTokenizer(EMBEDDED_FOLDER / VOCABULARY, config["text_cfg"]["context_length"])
    model = ClipTextModel(tower, tokenizer, sha256)
    return ClipTextEmbedder(choice, model, config["vision_cfg"]["image_size"])


def _read_weights(keep: dict[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """All weights sorted by name, in fp32 or as integers; ``keep`` gets those of the text tower."""
    with safe_open(EMBEDDED_FOLDER / WEIGHTS, framework="pt") as file:
        for name in sorted(file.keys()):
            tensor = file.get_tensor(name)
            tensor = tensor.float() if tensor.is_floating_point() else tensor
            if not name.startswith(_IMAGE_TOWER):
                keep[name] = tensor
            yield name, tensor
