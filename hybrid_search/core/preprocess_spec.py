"""The specification of an image preprocessing: which pixels a model takes as its input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from hybrid_search.core.assets import PictureFacts

Pixels = npt.NDArray[np.uint8]
"""``(h, w, 3)`` uint8, RGB; a batch is ``(n, h, w, 3)``."""

ResizeMode = Literal["shortest", "longest", "squash"]
Interpolation = Literal["bicubic", "bilinear"]

_OVERSAMPLING = 1.5
"""Decoded pixels per input pixel along a side. With fewer, vectors begin to differ."""


@dataclass(frozen=True, slots=True)
class PreprocessSpec:
    """How an image becomes a model's input. Names are those of open_clip's preprocessing."""

    width: int
    height: int
    resize: ResizeMode = "shortest"
    """``shortest`` fills the input and crops the rest, ``longest`` fits the whole image between
    margins, ``squash`` ignores the aspect ratio."""
    interpolation: Interpolation = "bicubic"
    fill: int = 0
    """Grey level of the margins, 0 to 255."""

    @property
    def least_side(self) -> int:
        """The side in pixels above which an image has no further detail for the model."""
        return math.ceil(_OVERSAMPLING * max(self.width, self.height))


@dataclass(frozen=True, slots=True)
class PreparedPicture:
    """A decoded picture: its facts and a model's input."""

    facts: PictureFacts
    pixels: Pixels
