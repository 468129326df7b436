"""Assets: the advertising documents that are indexed, and their stored versions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NewType

AssetId = NewType("AssetId", str)
"""The caller's id of an asset, the same for all its versions."""

Ordinal = NewType("Ordinal", int)
"""The number of one version of one asset: 1 or more, below 2**63, growing with each version that is
stored, never reused."""

Digest = NewType("Digest", str)
"""A SHA-256 as 64 lower-case hexadecimal digits."""

AttributeValue = str | int | float | bool | tuple[str, ...]
"""The value of an attribute. Dates are ISO 8601 texts, whose order is that of the dates."""


def digest_of(data: bytes) -> Digest:
    """The SHA-256 of the bytes in hexadecimal.

    >>> digest_of(b"")[:8]
    'e3b0c442'
    """
    return Digest(hashlib.sha256(data).hexdigest())


@dataclass(frozen=True, slots=True)
class TextField:
    """One text of an asset. A phrase never matches across two of them."""

    name: str
    text: str
    boost: int = 1
    """Weight of a word in it, relative to the same word in a field of boost 1."""

    @property
    def field(self) -> str:
        """The field that it belongs to. All translations belong to ``texts``."""
        return self.name.partition(".")[0] if self.name.startswith("texts.") else self.name


@dataclass(frozen=True, slots=True)
class Asset:
    """An advertising asset: a picture with text, or either alone."""

    id: AssetId
    title: str = ""
    body: str = ""
    brand: str = ""
    campaign: str = ""
    tags: tuple[str, ...] = ()
    language: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    starts: str = ""
    ends: str = ""
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)

    def text_fields(self) -> tuple[TextField, ...]:
        """The texts of the standard fields in reading order, without blank ones.

        Every tag is a text of its own. A translation is named ``texts.<language>``.
        """
        texts = [TextField("title", self.title), TextField("body", self.body)]
        texts += [TextField(f"texts.{code}", text) for code, text in sorted(self.texts.items())]
        texts += [TextField("brand", self.brand), TextField("campaign", self.campaign)]
        texts += [TextField("tags", tag) for tag in self.tags]
        return tuple(field for field in texts if field.text.strip())

    def facets(self) -> Iterator[tuple[str, AttributeValue]]:
        """The (field, value) pairs for filters and facets, without empty ones.

        Attributes have their own names, beside those of the standard fields.
        """
        standard = ("brand", "campaign", "tags", "language", "source", "starts", "ends")
        for name in standard:
            if value := getattr(self, name):
                yield name, value
        yield "id", self.id
        yield from self.attributes.items()


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """Facts about a decoded picture. Width and height are those after EXIF rotation."""

    digest: Digest
    format: str
    width: int
    height: int
    bytes: int
    placeholder: str
    """The mean colour as ``#rrggbb``, shown while the thumbnail loads."""

    @property
    def aspect(self) -> float:
        """Width divided by height."""
        return self.width / self.height

    @property
    def orientation(self) -> str:
        """``square`` if the aspect ratio is within .05 of 1, else ``landscape`` or ``portrait``."""
        if abs(self.aspect - 1.0) <= 0.05:
            return "square"
        return "landscape" if self.aspect > 1.0 else "portrait"


@dataclass(frozen=True, slots=True)
class StoredAsset:
    """One version of an asset, as it is stored."""

    arrival: Ordinal
    """Breaks the last tie; stands in JSON as ``ordinal``."""
    asset: Asset
    picture: PictureFacts | None
    updated_at: str
    """UTC in ISO 8601, to the second."""

    def facets(self) -> Iterator[tuple[str, AttributeValue]]:
        """The asset's facets, and those of its picture: size, aspect ratio and orientation."""
        yield from self.asset.facets()
        yield "has_picture", self.picture is not None
        if self.picture is not None:
            yield "width", self.picture.width
            yield "height", self.picture.height
            yield "aspect", round(self.picture.aspect, 4)
            yield "orientation", self.picture.orientation
