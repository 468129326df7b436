"""Names of the files in a folder that holds a model."""

from __future__ import annotations

from pathlib import Path

EMBEDDED_FOLDER = Path(__file__).parent / "models" / "hs_lite2_use512"
"""The model that is shipped with the package."""
CONFIG = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"
VOCABULARY = "bpe.txt.gz"
