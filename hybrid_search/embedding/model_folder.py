"""The folder of the model in the package, and the names of files in a model folder."""

from __future__ import annotations

from pathlib import Path

EMBEDDED_FOLDER = Path(__file__).parent / "models" / "hs_lite2_use512"
"""The model in the package."""
CONFIG = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"
VOCABULARY = "bpe.txt.gz"
