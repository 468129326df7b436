"""Load the configured model; torch and the hub's library are imported when they are needed."""

from __future__ import annotations

import os

from hybrid_search.core.ports import Embedder
from hybrid_search.settings.sections import EmbeddingSection


def load_embedder(section: EmbeddingSection) -> Embedder:
    """Load the model; raises ``InvalidConfig`` for one that cannot be had."""
    # Waiting threads of a forward pass would spin, and take the cores that decoders need.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    choice = section.choice()
    # Torch takes seconds to import, and most commands embed nothing.
    if choice.source == "embedded" and choice.precision != "bf16":
        from hybrid_search.embedding.packaged import PackagedEmbedder

        return PackagedEmbedder(choice)
    from hybrid_search.embedding.clip import ClipEmbedder

    return ClipEmbedder(choice)


def weights_cached(repository: str) -> bool:
    """Whether the weights of that repository on the hub are on this machine."""
    # The hub's library is slow to import, and only one command asks.
    from hybrid_search.embedding.hub_cache import is_cached

    return is_cached(repository)
