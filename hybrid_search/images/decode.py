"""Untrusted bytes decoded to an RGB picture as people see it.

Four formats are accepted, recognised by their content. The size is checked before decoding. EXIF
rotation is applied, 16-bit grey is scaled to 8 bits, and transparency is composed on white.
"""

from __future__ import annotations

import io
import itertools
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, ImageStat, UnidentifiedImageError

from hybrid_search.core import PictureFacts, digest_of
from hybrid_search.core.errors import InvalidPicture
from hybrid_search.core.picture_limits import PictureLimits
from hybrid_search.core.preprocess_spec import PreparedPicture, PreprocessSpec
from hybrid_search.images.preprocess import preprocess

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
WORKING_PIXELS = 1_048_576
"""A decoded picture is reduced to at most this many pixels; models take far fewer."""
MAX_JPEG_SCANS = 100
"""A progressive JPEG has about ten scans. Each one costs a pass over all pixels."""
FLAT = 4
"""Brightness difference, of 255, that compression alone causes in a flat area."""
FRAMES_TRIED = 12
"""Frames of an animation that are searched for one that is not flat."""


@dataclass(frozen=True, slots=True)
class CheckedPicture:
    """A decoded picture: its facts and an RGB image."""

    facts: PictureFacts
    rgb: Image.Image


def difference_hash(rgb: Image.Image) -> int:
    """A 256-bit difference hash (dHash): a bit is set where brightness rises to the right.

    The Hamming distance of two hashes is small for copies that differ in size and compression.
    Source: Neal Krawetz, Kind of Like That, 2013.

    >>> difference_hash(Image.new("RGB", (8, 8), "red"))
    0
    """
    small = np.asarray(rgb.convert("L").resize((17, 16), Image.Resampling.LANCZOS), np.int16)
    rising = small[:, 1:] > small[:, :-1] + FLAT
    return int.from_bytes(np.packbits(rising).tobytes(), "big")


def check_picture(
    data: bytes, limits: PictureLimits | None = None, least_side: int | None = None
) -> CheckedPicture:
    """The decoded picture, rotated as in EXIF, RGB, of at most ``WORKING_PIXELS`` pixels.

    With ``least_side`` it is reduced as far as is cheap; a side is not reduced below that length.
    Raises ``InvalidPicture`` for bytes that are not an accepted picture, whatever the decoder
    raises.
    """
    limits = limits or PictureLimits()
    _check_bytes(data, limits)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            _check_size(picture.size, limits)
            return _decode(picture, data, least_side)
    except InvalidPicture:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InvalidPicture(_too_many_pixels("its header asks for", limits)) from None
    except UnidentifiedImageError:
        raise InvalidPicture(_not_accepted(data)) from None
    except Exception as failure:  # noqa: BLE001  decoders raise many kinds on damaged bytes
        raise InvalidPicture(f"image: cannot be decoded, {_reason(failure)}") from None


def prepare_picture(data: bytes, limits: PictureLimits, spec: PreprocessSpec) -> PreparedPicture:
    """The decoded and preprocessed picture; raises ``InvalidPicture``."""
    checked = check_picture(data, limits, spec.least_side)
    return PreparedPicture(checked.facts, preprocess(checked.rgb, spec))


def shrink(picture: Image.Image, side: int) -> bytes:
    """A WebP of the picture with a longer side of at most ``side`` pixels, never enlarged."""
    small = picture.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=82, method=4)
    return out.getvalue()


def _check_bytes(data: bytes, limits: PictureLimits) -> None:
    if not data:
        raise InvalidPicture("image: the file is empty")
    if len(data) > limits.max_bytes:
        raise InvalidPicture(f"image: {len(data):,} bytes, the limit is {limits.max_bytes:,}")
    if data[:2] == b"\xff\xd8" and (scans := data.count(b"\xff\xda")) > MAX_JPEG_SCANS:
        raise InvalidPicture(f"image: a JPEG of {scans:,} scans, the limit is {MAX_JPEG_SCANS}")


def _check_size(size: tuple[int, int], limits: PictureLimits) -> None:
    width, height = size
    if max(size) > limits.max_side:
        raise InvalidPicture(
            f"image: {width} x {height} pixels, the limit is {limits.max_side:,} a side"
        )
    if width * height > limits.max_pixels:
        raise InvalidPicture(_too_many_pixels(f"{width} x {height} is", limits))


def _too_many_pixels(what: str, limits: PictureLimits) -> str:
    return f"image: {what} more than {limits.max_pixels / 1e6:g} million pixels, the limit"


def _not_accepted(data: bytes) -> str:
    accepted = ", ".join(FORMATS)
    looks_like = _foreign_format(data)
    return f"image: {looks_like}; accepted by content are {accepted}"


def _foreign_format(data: bytes) -> str:
    """What the refused bytes look like, for the message."""
    signatures = {
        b"BM": "a BMP file",
        b"II*\x00": "a TIFF file",
        b"MM\x00*": "a TIFF file",
        b"\x00\x00\x01\x00": "an icon file",
        b"\x00\x00\x00\x0cjP": "a JPEG 2000 file",
        b"%!PS": "a PostScript file",
        b"%PDF": "a PDF file",
    }
    for signature, name in signatures.items():
        if data.startswith(signature):
            return name
    if data[4:12] in {b"ftypavif", b"ftypavis"}:
        return "an AVIF file"
    if b"<svg" in data[:1024].lower():
        return "an SVG file"
    return "not a picture"


def _reason(failure: Exception) -> str:
    return f"{type(failure).__name__}: {failure}"[:200]


def _decode(picture: Image.Image, data: bytes, least_side: int | None) -> CheckedPicture:
    fmt, full = picture.format or "", picture.size
    if fmt == "JPEG" and picture.mode != "CMYK":
        # libjpeg skips detail that is not needed; both sides keep at least this length.
        side = least_side or 2048
        picture.draft("RGB", (side, side))
    frame = _first_informative_frame(picture)
    upright = ImageOps.exif_transpose(frame)
    width, height = _upright_size(full, frame.size, upright.size)
    rgb = _at_working_size(_as_rgb(upright), least_side)
    facts = PictureFacts(
        digest=digest_of(data),
        format=fmt,
        width=width,
        height=height,
        bytes=len(data),
        placeholder=_mean_colour(rgb),
    )
    return CheckedPicture(facts, rgb)


def _upright_size(
    full: tuple[int, int], decoded: tuple[int, int], upright: tuple[int, int]
) -> tuple[int, int]:
    """The full size after EXIF rotation; the decoded frame may be smaller than the picture."""
    turned = upright != decoded and upright == decoded[::-1]
    return full[::-1] if turned else full


def _first_informative_frame(picture: Image.Image) -> Image.Image:
    """The first frame, or the next that is not flat if an animation begins with one colour."""
    picture.load()
    frames: int = getattr(picture, "n_frames", 1)
    if frames == 1 or not _is_flat(picture):
        return picture
    for number in itertools.islice(range(1, frames), FRAMES_TRIED):
        picture.seek(number)
        if not _is_flat(picture):
            return picture.copy()
    picture.seek(0)
    return picture


def _is_flat(picture: Image.Image) -> bool:
    return all(low == high for low, high in ImageStat.Stat(picture.convert("RGB")).extrema)


def _as_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        return _from_16_bit(picture)
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        white.alpha_composite(rgba)
        return white.convert("RGB")
    return picture.convert("RGB")


def _from_16_bit(picture: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8 bits; Pillow's own conversion would clip it to white."""
    grey = np.asarray(picture).astype(np.float32)
    return Image.fromarray((grey / 257.0).clip(0, 255).astype(np.uint8)).convert("RGB")


def _at_working_size(picture: Image.Image, least_side: int | None) -> Image.Image:
    if least_side is not None:
        factor = min(picture.size) // least_side
        return picture.reduce(factor) if factor > 1 else picture
    pixels = picture.width * picture.height
    if pixels <= WORKING_PIXELS:
        return picture
    scale = (WORKING_PIXELS / pixels) ** 0.5
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)


def _mean_colour(picture: Image.Image) -> str:
    red, green, blue = (round(channel) for channel in ImageStat.Stat(picture).mean)
    return f"#{red:02x}{green:02x}{blue:02x}"
