"""Lay out drawings as ads: a motif on a coloured ground beside blocks in place of text."""

from __future__ import annotations

import colorsys
import random

from PIL import Image, ImageDraw, ImageOps

_SIZES = ((512, 512), (640, 400), (400, 640))


def lay_out(motif: Image.Image, chance: random.Random) -> Image.Image:
    """Return a random ad (``RGB``) with the motif (``RGBA``)."""
    width, height = chance.choice(_SIZES)
    ground = Image.new("RGB", (width, height), _colour(chance, 0.85))
    draw = ImageDraw.Draw(ground)
    if chance.random() < 0.5:  # a second coloured area
        draw.rectangle(
            (0, height * chance.uniform(0.5, 0.9), width, height), fill=_colour(chance, 0.7)
        )
    if chance.random() < 0.4:
        x, y, size = chance.randrange(width), chance.randrange(height), width // 2
        draw.ellipse((x - size, y - size, x + size, y + size), fill=_colour(chance, 0.95))
    _copy(draw, width, height, chance)
    side = round(min(width, height) * chance.uniform(0.45, 0.85))
    placed = ImageOps.contain(motif, (side, side))
    ground.paste(placed, _place(ground.size, placed.size, chance), placed)
    return ground


def _place(
    ground: tuple[int, int], motif: tuple[int, int], chance: random.Random
) -> tuple[int, int]:
    """Return a random place in the centre square, the part that a model sees."""
    square = min(ground)
    corner = [(whole - square) // 2 for whole in ground]
    left, top = (c + chance.randint(0, square - m) for c, m in zip(corner, motif, strict=True))
    return left, top


def _copy(draw: ImageDraw.ImageDraw, width: int, height: int, chance: random.Random) -> None:
    """Draw rows of short blocks that look like lines of text from a distance."""
    size, colour = chance.randint(8, 36), chance.choice(("white", "black", _colour(chance, 0.4)))
    x, y = width * chance.uniform(0.04, 0.4), height * chance.choice((0.05, 0.7, 0.8))
    for _ in range(chance.randint(1, 3)):
        left = x
        for _ in range(chance.randint(2, 5)):
            right = left + size * chance.uniform(1.0, 4.0)
            draw.rectangle((left, y, right, y + size * 0.7), fill=colour)
            left = right + size * 0.4
        y += size * 1.3


def _colour(chance: random.Random, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(chance.random(), chance.uniform(0.0, 0.8), value)
    return round(red * 255), round(green * 255), round(blue * 255)
