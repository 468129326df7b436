"""A picture store in memory."""

from __future__ import annotations

from hybrid_search.core import Digest
from hybrid_search.core.errors import IndexCorrupt
from hybrid_search.core.picture_limits import PictureLimits
from hybrid_search.images.decode import check_picture, shrink


class MemoryPictures:
    """A ``PictureStore`` in a dictionary."""

    def __init__(self, limits: PictureLimits | None = None) -> None:
        self._limits = limits or PictureLimits()
        self._originals: dict[Digest, bytes] = {}

    def put(self, digest: Digest, data: bytes) -> None:
        self._originals.setdefault(digest, data)

    def read(self, digest: Digest) -> bytes:
        try:
            return self._originals[digest]
        except KeyError:
            raise IndexCorrupt(f"pictures: {digest} is missing") from None

    def thumbnail(self, digest: Digest, side: int) -> bytes:
        return shrink(check_picture(self.read(digest), self._limits).rgb, side)
