"""Limits on pictures from untrusted sources."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What is refused before decoding, and what decoding one picture may use."""

    max_bytes: int = 20 * 1024 * 1024
    max_pixels: int = 40_000_000
    max_side: int = 16_384
    decode_seconds: float = 10.0
    """Time limit of one picture in a decoder process."""
    decode_mb: int = 2048
    """Address space of a decoder process, in MiB."""
