"""A picture as a model looks at it: resized and cropped, before its numbers are normalised.

The result is what open_clip's transform for inference gives, pixel by pixel, without torch: the
processes that decode pictures start in a fifth of a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

Pixels = npt.NDArray[np.uint8]
"""``(h, w, 3)`` uint8, RGB; of a batch ``(n, h, w, 3)``."""

ResizeMode = Literal["shortest", "longest", "squash"]
Interpolation = Literal["bicubic", "bilinear"]

MAX_ASPECT = 32
"""Of a strip longer than this many breadths the ends are cut off before it is resized."""
_SPARE = 1.5
"""Pixels for each of the model's that are decoded at least; below, vectors begin to differ."""
_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}

Size = tuple[int, int]
"""Width and height."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """How pictures become a model's input; the names are those of open_clip's preprocessing."""

    width: int
    height: int
    resize: ResizeMode = "shortest"
    """``shortest`` fills the input and cuts what stands over, ``longest`` shows all of the
    picture between margins, ``squash`` changes its proportions."""
    interpolation: Interpolation = "bicubic"
    fill: int = 0
    """Grey of the margins."""

    @property
    def least_side(self) -> int:
        """A picture whose sides are both this long has all the detail that is looked at."""
        return math.ceil(_SPARE * max(self.width, self.height))

    def __call__(self, picture: Image.Image) -> Pixels:
        """The model's input ``(height, width, 3)`` uint8 from an RGB picture of any size."""
        picture = _without_long_ends(picture)
        resized = picture.resize(self._resized(picture.size), self._filter())
        return np.asarray(self._cut(resized))

    def _filter(self) -> Image.Resampling:
        # open_clip forgets the interpolation where it fills an input that is no square.
        if self.resize == "shortest" and self.width != self.height:
            return Image.Resampling.BICUBIC
        return _FILTERS[self.interpolation]

    def _resized(self, size: Size) -> Size:
        """What the whole picture is resized to."""
        width, height = size
        if self.resize == "squash":
            return self.width, self.height
        if self.resize == "shortest" and self.width == self.height:
            short = min(size)
            return int(self.width * width / short), int(self.height * height / short)
        ratios = width / self.width, height / self.height
        ratio = min(ratios) if self.resize == "shortest" else max(ratios)
        return max(1, round(width / ratio)), max(1, round(height / ratio))

    def _cut(self, picture: Image.Image) -> Image.Image:
        """The middle of the picture, between margins where it is smaller than the input."""
        padded = ImageOps.expand(picture, self._margins(picture.size), (self.fill,) * 3)
        left = round((padded.width - self.width) / 2.0)
        top = round((padded.height - self.height) / 2.0)
        return padded.crop((left, top, left + self.width, top + self.height))

    def _margins(self, size: Size) -> tuple[int, int, int, int]:
        """Left, top, right and bottom; the odd pixel stands right and at the bottom."""
        across, down = max(0, self.width - size[0]), max(0, self.height - size[1])
        return across // 2, down // 2, (across + 1) // 2, (down + 1) // 2


def _without_long_ends(picture: Image.Image) -> Image.Image:
    """The middle of a strip: filling a square with all of it would take gigabytes."""
    longest = MAX_ASPECT * min(picture.size)
    if max(picture.size) <= longest:
        return picture
    width, height = min(picture.width, longest), min(picture.height, longest)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))
