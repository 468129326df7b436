"""Unusual pictures are decoded as a viewer shows them, or rejected with a reason."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hybrid_search.core.errors import InvalidPicture
from hybrid_search.core.picture_limits import PictureLimits
from hybrid_search.images.decode import check_picture
from tests.rounds import rounds
from tests.shared_data import shared

REFUSED = {
    "README.md": "not a picture",
    "avif.avif": "AVIF",
    "bad_crc.png": "broken data stream",
    "bmp.bmp": "BMP",
    "bomb_20000x20000.png": "million pixels",
    "bomb_header_65000.png": "million pixels",
    "cmyk.tif": "TIFF",
    "empty.jpg": "empty",
    "float32.tif": "TIFF",
    "header_only.jpg": "cannot be decoded",
    "html.png": "not a picture",
    "ico.ico": "icon",
    "jpeg2000.jp2": "JPEG 2000",
    "multipage.tif": "TIFF",
    "real_168MP_openclipart.png": "million pixels",
    "svg_image.svg": "SVG",
    "text.jpg": "not a picture",
    "truncated.jpg": "truncated",
    "truncated.png": "truncated",
    "truncated.webp": "cannot be decoded",
    "truncated_tail.jpg": "truncated",
    "ztxt_bomb.png": "cannot be decoded",
}
ONE_PHOTO = [
    ".hidden.jpg",
    "UPPER.JPEG",
    "cmyk.jpg",
    "cmyk_im.jpg",
    "arithmetic.jpg",
    "progressive.jpg",
    "exif_corrupt.jpg",
    "icc_garbage.jpg",
    "interlaced.png",
    "jpeg_named.png",
    "png_named.jpg",
    "no_extension",
    "palette.png",
    "rgb16.png",
    "rgb_not_ycc.jpg",
    "trailing_garbage.jpg",
]


def pixels(name: str) -> np.ndarray:
    return np.asarray(check_picture(shared(f"data/odd/{name}").read_bytes()).rgb, dtype=float)


def test_every_odd_file_is_decoded_or_rejected_with_a_reason() -> None:
    reasons = {}
    for path in sorted(shared("data/odd").iterdir()):
        try:
            check_picture(path.read_bytes())
        except InvalidPicture as failure:
            reasons[path.name] = str(failure)
    assert set(reasons) == set(REFUSED)
    assert [name for name, part in REFUSED.items() if part not in reasons[name]] == []


@pytest.mark.parametrize("name", ONE_PHOTO)
def test_all_encodings_of_one_photo_decode_alike(name: str) -> None:
    difference = np.abs(pixels(name) - pixels("lossless.webp")).mean()
    assert difference < 4.0


@pytest.mark.parametrize("number", range(2, 9))
def test_exif_orientation_is_applied(number: int) -> None:
    top = pixels(f"exif_orient_{number}.jpg")[:10, 50:-50].mean(axis=(0, 1))
    assert top[0] > 150 > max(top[1], top[2]), "the red bar is on top"


def test_sixteen_bit_grey_keeps_its_tones() -> None:
    assert np.abs(pixels("gray16.png") - pixels("gray.jpg")).mean() < 4.0


def test_transparency_is_composited_on_white() -> None:
    assert pixels("fully_transparent.png").min() == 255
    hidden = np.abs(pixels("rgba_magenta_under_alpha.png") - pixels("rgba.png"))
    assert hidden.mean() < 2.0


def test_animation_with_blank_first_frame_uses_a_later_one() -> None:
    assert pixels("blank_first_frame.gif").std() > 10


def test_each_limit_is_checked_at_and_over() -> None:
    out = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(out, "PNG")
    data = out.getvalue()
    assert check_picture(data, PictureLimits(len(data), 800, 40)).facts.width == 40
    for limits in (
        PictureLimits(len(data) - 1, 800, 40),
        PictureLimits(len(data), 799, 40),
        PictureLimits(len(data), 800, 39),
    ):
        with pytest.raises(InvalidPicture, match="limit"):
            check_picture(data, limits)


def test_facts_describe_the_full_upright_picture() -> None:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (3000, 2000), "#204060").save(out, "JPEG", exif=exif)
    picture = check_picture(out.getvalue())
    assert (picture.facts.width, picture.facts.height) == (2000, 3000)
    assert picture.facts.orientation == "portrait"
    assert picture.rgb.width * picture.rgb.height <= 1_050_000
    assert picture.facts.placeholder in {"#204060", "#1f405f"}, "JPEG keeps colours roughly"


@settings(max_examples=rounds(200, 2_000), deadline=None)
@given(
    st.binary(max_size=300), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"GIF89a"])
)
def test_arbitrary_bytes_raise_only_the_documented_error(body: bytes, start: bytes) -> None:
    try:
        mode = check_picture(start + body).rgb.mode
    except InvalidPicture:
        mode = "refused"
    assert mode in {"RGB", "refused"}
