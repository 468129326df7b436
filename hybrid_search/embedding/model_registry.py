"""Which embedding model is meant: a choice from the settings, and a catalogue of sensible ones.

Nothing here loads a model or reaches the network.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

Precision = Literal["auto", "fp32", "bf16"]
Source = Literal["embedded", "folder", "hub", "file", "tag", "random", "nowhere"]
"""Where weights come from: with the package, a local folder, a repository on the hub, a local file,
an open_clip tag, chance (speed tests), or nowhere, which cannot be loaded."""

EMBEDDED = "embedded"
RANDOM = "random"
"""Stands for weights in a speed test: the architecture is real, its answers mean nothing."""
FOLDER_PREFIX = "local-dir:"
HUB_PREFIX = "hf-hub:"
AS_TYPED = ("{}",)
"""The template that leaves a text as it is."""
WEIGHT_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
_CATALOGUE = Path(__file__).parent / "models" / "catalogue.toml"


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which model is loaded, as it stands in the settings."""

    model: str = EMBEDDED
    pretrained: str | None = None
    batch_size: int = 16
    threads: int = 0
    precision: Precision = "auto"
    prompts: tuple[str, ...] = AS_TYPED
    """Templates around a text; the vectors of several are averaged."""

    @property
    def source(self) -> Source:
        """Where the weights come from."""
        if self.model == EMBEDDED:
            return "embedded"
        if self.model.startswith(FOLDER_PREFIX):
            return "folder"
        if self.model.startswith(HUB_PREFIX):
            return "hub"
        if self.pretrained is None:
            return "nowhere"
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
        """The model's name as it stands in manifests.

        Of a local folder or file only the last part counts, so that it may be moved; whether the
        weights are still the same, their hash tells.
        """
        if self.source == "folder":
            return FOLDER_PREFIX + self.folder.name
        if self.pretrained is None:
            return self.model
        weights = Path(self.pretrained).name if self.source == "file" else self.pretrained
        return f"{self.model}:{weights}"

    @property
    def settings(self) -> str:
        """The settings that made the choice, for messages."""
        named = f"embedding.model = {self.model!r}"
        if self.pretrained is None:
            return named
        return f"{named}, embedding.pretrained = {self.pretrained!r}"


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A model that is worth choosing, and what is known of it without loading it."""

    model: str
    use: str
    """What it is good for."""
    languages: str
    dimension: int
    image_size: int
    context_length: int
    parameters: int
    images_per_second: float
    """Encoded in fp32 by one core, as measured (docs/models.md)."""
    text_ms: float
    """CPU milliseconds for one text, measured in the same way."""
    pretrained: str | None = None
    hub: str | None = None
    """The repository that holds the weights; ``None`` for what is in the package."""
    needs: tuple[str, ...] = ()
    """Packages beyond those that are always installed."""
    prompts: tuple[str, ...] = AS_TYPED

    def memory(self, precision: Literal["fp32", "bf16"]) -> int:
        """Bytes of the weights."""
        return self.parameters * (4 if precision == "fp32" else 2)


_ENTRIES = TypeAdapter(tuple[CatalogueEntry, ...])


@cache
def catalogue() -> tuple[CatalogueEntry, ...]:
    """The sensible choices, the model in the package first."""
    entries = tomllib.loads(_CATALOGUE.read_text("utf-8"))["models"]
    return _ENTRIES.validate_python(entries)


def default_prompts(model: str, pretrained: str | None) -> tuple[str, ...]:
    """The templates that the catalogue knows to help that model; else texts stay as typed."""
    found = [e.prompts for e in catalogue() if (e.model, e.pretrained) == (model, pretrained)]
    return found[0] if found else AS_TYPED
