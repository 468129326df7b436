"""The store of pictures: original bytes by their hash, and thumbnails."""

from __future__ import annotations

from typing import Protocol

from hybrid_search.core.assets import Digest


class PictureStore(Protocol):
    """Pictures by the SHA-256 of their bytes. Safe to call from several threads."""

    def put(self, digest: Digest, data: bytes) -> None:
        """Store the bytes, durably on return. Known content is left as it is."""
        ...

    def read(self, digest: Digest) -> bytes:
        """The stored bytes; raises ``IndexCorrupt`` if they are missing or damaged."""
        ...

    def thumbnail(self, digest: Digest, side: int) -> bytes:
        """A WebP with a longer side of at most ``side`` pixels, created once and cached.

        A smaller picture is not enlarged.
        """
        ...
