"""Measure the cost of the recommended models: CPU time of one core for a picture and for a text.

Architectures are real; weights and token ids are random, so nothing is downloaded, and quality is
not measured. A text model that is only described on the hub takes its description from
``TEXT_MODELS`` and needs the package transformers.

    python bench/models.py --model ViT-B-32 --model ViT-L-14
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import torch

from hybrid_search.embedding.model_folder import EMBEDDED_FOLDER
from hybrid_search.embedding.model_registry import catalogue

TEXT_MODELS: dict[str, dict[str, Any]] = {
    "xlm-roberta-base": {
        "model_type": "xlm-roberta",
        "vocab_size": 250_002,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "max_position_embeddings": 514,
        "type_vocab_size": 1,
        "pad_token_id": 1,
    },
}
PICTURES, ROUNDS = 8, 3


def main() -> None:
    options = arguments()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)  # open_clip warns about random weights
    with tempfile.TemporaryDirectory() as folder:
        for name in options.model or [entry.model for entry in catalogue()]:
            print(json.dumps(measured(name, Path(folder), options.precision)), flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", help="repeatable; default: all recommended")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    return parser.parse_args()


def measured(name: str, folder: Path, precision: str) -> dict[str, object]:
    architecture = described(name, folder)
    network = open_clip.create_model(architecture, pretrained_text=False).eval()
    dtype = torch.float32 if precision == "fp32" else torch.bfloat16
    network.to(dtype).requires_grad_(False)
    size = network.visual.image_size
    side = size[0] if isinstance(size, tuple) else size
    text = open_clip.get_model_config(architecture)["text_cfg"]
    pixels = torch.randn(PICTURES, 3, side, side, dtype=dtype)
    ids = torch.randint(5, 1000, (1, text.get("context_length", 77)))
    return {
        "model": name,
        "precision": precision,
        "parameters": sum(weights.numel() for weights in network.parameters()),
        "images_per_second": round(PICTURES / best(lambda: network.encode_image(pixels)), 2),
        "text_ms": round(best(lambda: network.encode_text(ids)) * 1000, 1),
    }


def described(name: str, folder: Path) -> str:
    """Return open_clip's name of the model, with a text model that needs no download."""
    if name == "embedded":
        return f"local-dir:{EMBEDDED_FOLDER}"
    config = open_clip.get_model_config(name)
    named = config["text_cfg"].get("hf_model_name")
    if named is None:
        return name
    (folder / named).mkdir(exist_ok=True)
    (folder / named / "config.json").write_text(json.dumps(TEXT_MODELS[named]))
    config["text_cfg"]["hf_model_name"] = str(folder / named)
    (folder / f"local-{name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / f"local-{name}.json")
    return f"local-{name}"


@torch.inference_mode()
def best(work: Callable[[], object]) -> float:
    """Return the minimum CPU seconds of several rounds."""
    work()
    times = []
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


if __name__ == "__main__":
    main()
