"""A model in open_clip's format that is small, random, and another one for every seed."""

import json
from pathlib import Path

import open_clip
import torch
from safetensors.torch import save_file

DIMENSION = 48
CONFIG = {
    "model_cfg": {
        "embed_dim": DIMENSION,
        "vision_cfg": {
            "image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8,
        },
        "text_cfg": {
            "context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1,
        },
    },
    "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
}  # fmt: skip


def write_model(folder: Path, seed: int = 0) -> str:
    """The name under which the model in that folder can be put to use."""
    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text(json.dumps(CONFIG), "ascii")
    torch.manual_seed(seed)
    model = open_clip.CLIP(
        CONFIG["model_cfg"]["embed_dim"],
        CONFIG["model_cfg"]["vision_cfg"],
        CONFIG["model_cfg"]["text_cfg"],
    )
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    return f"local-dir:{folder}"
