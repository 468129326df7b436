"""The local cache of the model hub, read without network access."""

from __future__ import annotations

from huggingface_hub import try_to_load_from_cache

_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def is_cached(repository: str) -> bool:
    """Whether open_clip's weights of the repository are in this machine's cache."""
    return any(isinstance(try_to_load_from_cache(repository, name), str) for name in _WEIGHTS)
