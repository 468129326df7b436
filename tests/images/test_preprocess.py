"""Preprocessing equals that of open_clip, without torch."""

import subprocess
import sys

import numpy as np
import open_clip
import pytest
from numpy.typing import NDArray
from PIL import Image

from hybrid_search.core.preprocess_spec import Interpolation, PreprocessSpec, ResizeMode
from hybrid_search.images.preprocess import MAX_ASPECT, preprocess

SIZES = [(640, 427), (427, 640), (100, 80), (33, 500), (260, 260), (1, 1), (301, 299)]


def noise(size: tuple[int, int]) -> Image.Image:
    chance = np.random.default_rng(size[0])
    return Image.fromarray(chance.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def by_open_clip(spec: PreprocessSpec, picture: Image.Image) -> np.ndarray:
    size = (spec.height, spec.width)
    transform = open_clip.image_transform(
        size[0] if size[0] == size[1] else size,
        is_train=False,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        resize_mode=spec.resize,
        interpolation=spec.interpolation,
        fill_color=spec.fill,
    )
    shares: NDArray[np.float32] = transform(picture).permute(1, 2, 0).numpy()
    return (shares * 255).round().astype(np.uint8)


@pytest.mark.parametrize("resize", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("shape", [(224, 224), (260, 260), (96, 64)])
def test_preprocessing_equals_open_clip_pixel_by_pixel(
    resize: ResizeMode, interpolation: Interpolation, shape: tuple[int, int]
) -> None:
    spec = PreprocessSpec(*shape, resize, interpolation, fill=7)
    for size in SIZES:
        picture = noise(size)
        found = preprocess(picture, spec)
        assert (found.shape, found.dtype) == ((shape[1], shape[0], 3), np.dtype(np.uint8))
        assert np.array_equal(found, by_open_clip(spec, picture)), size


@pytest.mark.parametrize("size", [(16_384, 1), (1, 16_384), (MAX_ASPECT * 9 + 50, 9)])
@pytest.mark.parametrize("resize", ["shortest", "longest", "squash"])
def test_narrow_picture_is_cropped_to_its_centre(resize: ResizeMode, size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, "teal")
    found = preprocess(picture, PreprocessSpec(224, 224, resize, fill=0))
    assert found.shape == (224, 224, 3)
    assert found[112, 112].tolist() == [0, 128, 128]


def test_preprocessing_imports_neither_torch_nor_open_clip() -> None:
    program = "import sys, hybrid_search.images.decoder_pool; print('torch' in sys.modules)"
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"False\n"
