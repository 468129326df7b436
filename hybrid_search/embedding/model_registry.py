"""The catalogue of embedding models that are worth choosing. Nothing here loads a model.

The entries are read from ``models/catalogue.toml``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from hybrid_search.core.candidate_lists import ListName
from hybrid_search.core.model_choice import AS_TYPED, ModelChoice
from hybrid_search.core.similarity_calibration import GENERAL, SimilarityCalibration

_CATALOGUE = Path(__file__).parent / "models" / "catalogue.toml"


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A model of the catalogue, with facts that are known without loading it."""

    model: str
    use: str
    """What it is good for."""
    languages: str
    dimension: int
    image_size: int
    context_length: int
    parameters: int
    images_per_second: float
    """Images encoded per second in fp32 on one core, as measured (docs/models.md)."""
    text_ms: float
    """CPU milliseconds to encode one text, measured in the same way."""
    pretrained: str | None = None
    hub: str | None = None
    """The hub repository of the weights; ``None`` for the model in the package."""
    needs: tuple[str, ...] = ()
    """Further packages that it needs installed."""
    prompts: tuple[str, ...] = AS_TYPED
    calibration: Mapping[ListName, tuple[float, float, float]] = field(default_factory=dict)
    """Coefficients of its ``SimilarityCalibration`` of each list, where they were fitted."""

    def memory(self, precision: Literal["fp32", "bf16"]) -> int:
        """The size of the weights in bytes."""
        return self.parameters * (4 if precision == "fp32" else 2)


_ENTRIES = TypeAdapter(tuple[CatalogueEntry, ...])


@cache
def catalogue() -> tuple[CatalogueEntry, ...]:
    """The entries, the model in the package first."""
    entries = tomllib.loads(_CATALOGUE.read_text("utf-8"))["models"]
    return _ENTRIES.validate_python(entries)


def query_prompts(choice: ModelChoice) -> tuple[str, ...]:
    """The templates for a query's text: the chosen ones, else the catalogue's for that model.

    A model that the catalogue does not list takes the text as typed.
    """
    if choice.prompts is not None:
        return choice.prompts
    key = (choice.model, choice.pretrained)
    return next((e.prompts for e in catalogue() if (e.model, e.pretrained) == key), AS_TYPED)


@cache
def calibrations_of(model: str) -> Mapping[ListName, SimilarityCalibration]:
    """The calibration of each list for the model with that name in keys.

    A model without one of its own has the general one.
    """
    fitted = next((e.calibration for e in catalogue() if e.model == model), {})
    return {**GENERAL, **{name: SimilarityCalibration(*fitted[name]) for name in fitted}}
