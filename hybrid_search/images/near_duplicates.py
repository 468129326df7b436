"""Duplicates of a picture: the same bytes, or the same picture in another size or compression.

The candidates are the nearest neighbours of its vector. They are compared once more by a
difference hash of their brightness, because pictures with similar vectors can differ in content.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

from cachetools import LRUCache

from hybrid_search.core import Digest, StoredAsset
from hybrid_search.core.errors import IndexCorrupt
from hybrid_search.core.ports import Catalog, PictureStore, VectorIndex

NEIGHBOURS = 50
"""Nearest neighbours that are compared."""
NEAR = 5
"""Hamming distance of 256 bits; 9 of 10 resized and recompressed copies are within it."""
ALIKE = 0.9
"""Least cosine of a duplicate: a change of colour alone does not change the hash."""
_SIDE = 384

Band = Literal["identical", "near"]
"""The same bytes, or the same picture in another size or compression."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An asset whose picture duplicates another one."""

    stored: StoredAsset
    band: Band
    similarity: float
    """Cosine of the two vectors."""
    distance: int
    """Hamming distance of the two difference hashes, of 256 bits."""


class Duplicates:
    """Finds duplicates of indexed pictures. Safe to call from several threads."""

    def __init__(self, catalog: Catalog, pictures: PictureStore) -> None:
        self._catalog = catalog
        self._pictures = pictures
        self._hashes: LRUCache[Digest, int] = LRUCache(10_000)

    def of(self, stored: StoredAsset, index: VectorIndex) -> list[Duplicate]:
        """Live assets with a duplicate of the asset's picture; none for an asset without a picture.

        Identical ones come first, then by rising distance, then by falling similarity. ``index``
        is the vector index of pictures.
        """
        vector = index.vector(stored.arrival)
        if stored.picture is None or vector is None:
            return []
        near = index.search(vector, NEIGHBOURS + 1)
        live = self._catalog.live(near.ordinals) - {stored.arrival}
        assets = self._catalog.fetch([o for o in near.ordinals if o in live])
        similarity = dict(zip(near.ordinals, near.scores, strict=True))
        found = [self._compared(stored, one, similarity[o]) for o, one in assets.items()]
        copies = [one for one in found if one.distance <= NEAR and one.similarity >= ALIKE]
        return sorted(copies, key=lambda one: (one.band == "near", one.distance, -one.similarity))

    def _compared(self, stored: StoredAsset, other: StoredAsset, similarity: float) -> Duplicate:
        mine, its = _digest(stored), _digest(other)
        distance = (self._hash(mine) ^ self._hash(its)).bit_count()
        return Duplicate(other, "identical" if mine == its else "near", similarity, distance)

    def _hash(self, digest: Digest) -> int:
        known = self._hashes.get(digest)
        if known is None:
            from PIL import Image

            from hybrid_search.images.decode import difference_hash

            # The thumbnail is our own file, so it needs no checks.
            with Image.open(io.BytesIO(self._pictures.thumbnail(digest, _SIDE))) as small:
                known = difference_hash(small)
            self._hashes[digest] = known
        return known


def _digest(stored: StoredAsset) -> Digest:
    if stored.picture is None:
        raise IndexCorrupt(f"vectors: {stored.asset.id!r} has a vector but no picture")
    return Digest(stored.picture.digest)
