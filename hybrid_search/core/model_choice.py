"""Which embedding model the settings choose, and where its weights come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Precision = Literal["auto", "fp32", "bf16"]
WeightSource = Literal["embedded", "folder", "hub", "file", "tag", "random", "unset"]
"""The package, a local folder, a hub repository, a local file, an open_clip tag, random weights
(for benchmarks), or not set, which cannot be loaded."""

EMBEDDED = "embedded"
RANDOM = "random"
"""In place of weights, for benchmarks: the real architecture with meaningless vectors."""
FOLDER_PREFIX = "local-dir:"
HUB_PREFIX = "hf-hub:"
AS_TYPED = ("{}",)
"""The prompt template that leaves a text unchanged."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model to load, as the settings name it."""

    model: str = EMBEDDED
    pretrained: str | None = None
    batch_size: int = 16
    threads: int = 0
    precision: Precision = "auto"
    prompts: tuple[str, ...] | None = None
    """Templates around a query's text, whose vectors are averaged; ``None`` takes those that the
    model catalogue lists for the model."""

    @property
    def source(self) -> WeightSource:
        """Where the weights come from."""
        if self.model == EMBEDDED:
            return "embedded"
        if self.model.startswith(FOLDER_PREFIX):
            return "folder"
        if self.model.startswith(HUB_PREFIX):
            return "hub"
        if self.pretrained is None:
            return "unset"
        if self.pretrained == RANDOM:
            return "random"
        path = Path(self.pretrained)
        return "file" if path.suffix or len(path.parts) > 1 or path.is_file() else "tag"

    @property
    def folder(self) -> Path:
        """The folder behind ``local-dir:``."""
        return Path(self.model.removeprefix(FOLDER_PREFIX)).expanduser()

    @property
    def name(self) -> str:
        """The model's name in manifests.

        Of a local folder or file only the last part is kept, so that it can be moved. The hash of
        the weights, stored beside the name, tells whether they are still the same.
        """
        if self.source == "folder":
            return FOLDER_PREFIX + self.folder.name
        if self.pretrained is None:
            return self.model
        weights = Path(self.pretrained).name if self.source == "file" else self.pretrained
        return f"{self.model}:{weights}"

    @property
    def settings(self) -> str:
        """The settings that name the model, for messages."""
        named = f"embedding.model = {self.model!r}"
        if self.pretrained is None:
            return named
        return f"{named}, embedding.pretrained = {self.pretrained!r}"
