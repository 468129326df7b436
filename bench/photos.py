"""Synthetic JPEGs with the size and detail of photographs, the same for every run."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

QUALITY = 88


def photo(seed: int, width: int) -> bytes:
    """Return a JPEG of ``width`` × ⅔ ``width`` pixels: soft colours, hard shapes, grain."""
    chance = np.random.default_rng(seed)
    size = (width, width * 2 // 3)
    coarse = Image.fromarray(chance.integers(0, 256, (6, 9, 3), dtype=np.uint8))
    picture = coarse.resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y, w, h = chance.uniform(0.0, 0.5, 4)
        box = (x * 2 * size[0], y * 2 * size[1], (2 * x + w) * size[0], (2 * y + h) * size[1])
        colour = tuple(chance.integers(0, 256, 3).tolist())
        (draw.ellipse if chance.random() < 0.5 else draw.rectangle)(box, fill=colour)
    out = io.BytesIO()
    ImageChops.add(picture, _grain(chance, size), offset=-128).save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def write_photos(folder: Path, count: int, widths: tuple[int, ...]) -> list[Path]:
    """Write ``count`` JPEGs with alternating widths; existing ones are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda n: _written(folder, n, widths[n % len(widths)]), range(count)))


def _written(folder: Path, seed: int, width: int) -> Path:
    path = folder / f"{seed:05d}-{width}.jpg"
    if not path.exists():
        path.write_bytes(photo(seed, width))
    return path


def _grain(chance: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Return noise around 128, slightly blurred as from a sensor, one tile repeated."""
    tile = Image.fromarray(chance.normal(128, 9, (512, 512, 3)).clip(0, 255).astype(np.uint8))
    tile = tile.filter(ImageFilter.GaussianBlur(0.7))
    grain = Image.new("RGB", size)
    for left in range(0, size[0], 512):
        for top in range(0, size[1], 512):
            grain.paste(tile, (left, top))
    return grain
