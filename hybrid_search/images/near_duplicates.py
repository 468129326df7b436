"""Copies of a picture: the same bytes, or the same picture in another size or compression.

What looks alike to a model is no copy yet: its nearest neighbours are compared once more by a
hash of their brightness, which small differences in content change.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

from cachetools import LRUCache
from PIL import Image

from hybrid_search.core import Digest, StoredAsset
from hybrid_search.core.errors import IndexCorrupt
from hybrid_search.core.ports import Catalog, PictureStore, VectorIndex
from hybrid_search.images.decode import difference_hash

NEIGHBOURS = 50
"""How many of the nearest are compared."""
NEAR = 5
"""Bits of 256 that may differ: 9 of 10 copies made smaller and compressed differ by no more."""
ALIKE = 0.9
"""Cosine below which nothing is a copy: another colour leaves the brightness as it was."""
_SIDE = 384

Band = Literal["identical", "near"]
"""The same bytes, or the same picture to the eye."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A copy of a picture."""

    stored: StoredAsset
    band: Band
    similarity: float
    """Cosine of the two vectors."""
    distance: int
    """Bits of 256 in which the hashes of brightness differ."""


class Duplicates:
    """Finds copies of indexed pictures. Safe to call from several threads."""

    def __init__(self, catalog: Catalog, pictures: PictureStore) -> None:
        self._catalog = catalog
        self._pictures = pictures
        self._hashes: LRUCache[Digest, int] = LRUCache(10_000)

    def of(self, stored: StoredAsset, index: VectorIndex) -> list[Duplicate]:
        """Live assets with a copy of its picture, identical ones first, then the nearest.

        Of several at the same distance the most similar comes first; none where the asset has no
        picture. ``index`` is that of pictures.
        """
        vector = index.vector(stored.ordinal)
        if stored.picture is None or vector is None:
            return []
        near = index.search(vector, NEIGHBOURS + 1)
        alive = self._catalog.live(near.ordinals) - {stored.ordinal}
        assets = self._catalog.fetch([o for o in near.ordinals if o in alive])
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
            # Our own thumbnail, not what was uploaded.
            with Image.open(io.BytesIO(self._pictures.thumbnail(digest, _SIDE))) as small:
                known = difference_hash(small)
            self._hashes[digest] = known
        return known


def _digest(stored: StoredAsset) -> Digest:
    if stored.picture is None:
        raise IndexCorrupt(f"vectors: {stored.asset.id!r} has one, and no picture")
    return Digest(stored.picture.digest)
