"""Stored assets as JSON."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from hybrid_search.core import PictureFacts, StoredAsset
from hybrid_search.core.asset_schema import asset_to_json
from hybrid_search.images.near_duplicates import Duplicate


class PictureJson(TypedDict):
    """Facts about a picture; ``placeholder`` is its average colour."""

    digest: str
    format: str
    width: int
    height: int
    bytes: int
    placeholder: str


class StoredAssetJson(TypedDict):
    """A stored version of an asset."""

    asset: dict[str, Any]
    picture: PictureJson | None
    ordinal: int
    updated_at: str


class VersionsJson(TypedDict):
    """The versions of an asset, newest first; ``live`` is false when the asset was deleted."""

    live: bool
    versions: list[StoredAssetJson]


class DuplicateJson(StoredAssetJson):
    """An asset with a duplicate of a picture.

    ``band`` is ``identical`` for equal bytes and ``near`` for another size or compression of the
    same picture. ``similarity`` is the cosine of the vectors, ``distance`` the number of bits, of
    256, in which the difference hashes differ.
    """

    band: str
    similarity: float
    distance: int


class DuplicatesJson(TypedDict):
    """Duplicates of a picture: identical ones first, then by distance."""

    duplicates: list[DuplicateJson]


def stored_to_json(stored: StoredAsset) -> StoredAssetJson:
    """A stored asset as a JSON object."""
    return {
        "asset": asset_to_json(stored.asset),
        "picture": None if stored.picture is None else picture_to_json(stored.picture),
        "ordinal": stored.arrival,
        "updated_at": stored.updated_at,
    }


def picture_to_json(facts: PictureFacts) -> PictureJson:
    """The facts about a picture as a JSON object."""
    return {
        "digest": facts.digest,
        "format": facts.format,
        "width": facts.width,
        "height": facts.height,
        "bytes": facts.bytes,
        "placeholder": facts.placeholder,
    }


def duplicate_to_json(copy: Duplicate) -> DuplicateJson:
    """The duplicate as a JSON object."""
    return {
        **stored_to_json(copy.stored),
        "band": copy.band,
        "similarity": copy.similarity,
        "distance": copy.distance,
    }
