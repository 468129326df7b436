"""Untrusted bytes into a checked picture, as a person would see it.

Only four formats are opened, recognised by their content; the size is checked before a pixel
is decoded; the picture is turned upright, 16-bit depth is scaled, transparency is laid on
white, and the result is RGB.
"""

from __future__ import annotations

import hashlib
import io
import itertools
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, ImageStat, UnidentifiedImageError

from hybrid_search.core import Digest, PictureFacts
from hybrid_search.core.errors import InvalidPicture
from hybrid_search.core.picture_limits import PictureLimits
from hybrid_search.core.preprocess_spec import Pixels, PreprocessSpec
from hybrid_search.images.preprocess import preprocess

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
WORKING_PIXELS = 1_048_576
"""A decoded picture is kept at no more than this many pixels: models look at far fewer."""
MAX_JPEG_SCANS = 100
"""A progressive JPEG needs about ten; each further one costs a pass over all pixels."""
FLAT = 4
"""Levels of brightness, of 255, that compression alone makes of an even ground."""
FRAMES_TRIED = 12
"""How far into an animation a frame that shows something is looked for."""


@dataclass(frozen=True, slots=True)
class CheckedPicture:
    """A picture that decoded well: its facts, and its pixels as an RGB image."""

    facts: PictureFacts
    rgb: Image.Image


@dataclass(frozen=True, slots=True)
class PreparedPicture:
    """A picture that decoded well: its facts, and a model's input made of it."""

    facts: PictureFacts
    pixels: Pixels


def difference_hash(rgb: Image.Image) -> int:
    """256 bits of where the picture grows clearly brighter to the right, from the top left on.

    Equal for copies that differ in size and compression, near for small changes; the number of
    bits in which two differ is their distance. After Neal Krawetz, Kind of Like That, 2013.

    >>> difference_hash(Image.new("RGB", (8, 8), "red"))
    0
    """
    small = np.asarray(rgb.convert("L").resize((17, 16), Image.Resampling.LANCZOS), np.int16)
    rising = small[:, 1:] > small[:, :-1] + FLAT
    return int.from_bytes(np.packbits(rising).tobytes(), "big")


def digest_of(data: bytes) -> Digest:
    """The SHA-256 of the bytes in hexadecimal.

    >>> digest_of(b"")[:8]
    'e3b0c442'
    """
    return Digest(hashlib.sha256(data).hexdigest())


def check_picture(
    data: bytes, limits: PictureLimits | None = None, least_side: int | None = None
) -> CheckedPicture:
    """The picture in these bytes, upright RGB, at most ``WORKING_PIXELS`` large.

    With ``least_side`` it is decoded as small as is cheap, both sides at least so long where
    the picture's are. Raises ``InvalidPicture`` for anything else, whatever the decoder makes
    of it.
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
    """The picture in these bytes as a model looks at it; raises ``InvalidPicture``."""
    checked = check_picture(data, limits, spec.least_side)
    return PreparedPicture(checked.facts, preprocess(checked.rgb, spec))


def shrink(picture: Image.Image, side: int) -> bytes:
    """A WebP of the picture, its longer side at most ``side`` pixels, never enlarged."""
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
    """What refused bytes look like, for the message."""
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
        # Lets libjpeg skip detail that nothing here looks at; never below twice a megapixel side.
        side = least_side or 2048
        picture.draft("RGB", (side, side))
    frame = _telling_frame(picture)
    upright = ImageOps.exif_transpose(frame)
    turned = upright.size != frame.size and upright.size == frame.size[::-1]
    width, height = full[::-1] if turned else full
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


def _telling_frame(picture: Image.Image) -> Image.Image:
    """The first frame, or of an animation that opens with one flat colour, the next that shows."""
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
    """Grey of 16 bits a pixel, scaled down; plain conversion would clip it to white."""
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
