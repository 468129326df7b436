"""Tiny open_clip models for tests."""

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file

TINY: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {
        "context_length": 16,
        "vocab_size": 49408,
        "width": 16,
        "heads": 2,
        "layers": 1,
    },
}
GREY = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "resize_mode": "squash"}


def register(folder: Path, name: str = "tiny") -> str:
    """Register the architecture in open_clip and return its name."""
    path = folder / f"{name}.json"
    path.write_text(json.dumps(TINY))
    open_clip.add_model_config(path)
    return name


def weights(seed: int = 1) -> dict[str, torch.Tensor]:
    """Return random weights for it."""
    torch.manual_seed(seed)
    network = open_clip.CLIP(**TINY)
    return {key: value.clone() for key, value in network.state_dict().items()}


def folder_model(folder: Path, seed: int = 1, **changed: Any) -> Path:
    """Write a model folder with configuration, mean, std and weights; parts can be overridden."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_cfg": TINY, "preprocess_cfg": GREY, **changed}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    save_file(weights(seed), folder / "open_clip_model.safetensors")
    return folder
