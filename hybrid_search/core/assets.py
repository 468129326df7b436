"""Assets, as they come in and as they are stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NewType

AssetId = NewType("AssetId", str)
"""The caller's name of an asset; stable over all its versions."""

Ordinal = NewType("Ordinal", int)
"""The number of one version of one asset; from 1 upwards, never reused, below 2**63."""

Digest = NewType("Digest", str)
"""The SHA-256 of some content, as 64 lower-case hexadecimal digits."""

AttributeValue = str | int | float | bool | tuple[str, ...]
"""What an attribute may hold. Dates are ISO 8601 texts, which sort as dates do."""


@dataclass(frozen=True, slots=True)
class CopyField:
    """One run of text of an asset. A phrase never crosses from one run into another."""

    name: str
    text: str
    boost: int = 1
    """How often a word in it counts against the same word elsewhere."""

    @property
    def field(self) -> str:
        """The field it belongs to: all translations are ``texts``."""
        return self.name.partition(".")[0] if self.name.startswith("texts.") else self.name


@dataclass(frozen=True, slots=True)
class Asset:
    """An advertising asset: a picture with copy, or either alone."""

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

    def copy_fields(self) -> tuple[CopyField, ...]:
        """The texts of the standard fields, in reading order, empty ones left out.

        Every tag is a run of its own; a translation is named ``texts.<language>``.
        """
        runs = [CopyField("title", self.title), CopyField("body", self.body)]
        runs += [CopyField(f"texts.{code}", text) for code, text in sorted(self.texts.items())]
        runs += [CopyField("brand", self.brand), CopyField("campaign", self.campaign)]
        runs += [CopyField("tags", tag) for tag in self.tags]
        return tuple(run for run in runs if run.text.strip())

    def facets(self) -> Iterator[tuple[str, AttributeValue]]:
        """The (field, value) pairs that a filter can name, empty ones left out.

        Attributes appear under their own name, beside the standard fields.
        """
        standard = ("brand", "campaign", "tags", "language", "source", "starts", "ends")
        for name in standard:
            if value := getattr(self, name):
                yield name, value
        yield "id", self.id
        yield from self.attributes.items()


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What is known of a checked picture, as a person would see it (turned upright)."""

    digest: Digest
    format: str
    width: int
    height: int
    bytes: int
    placeholder: str
    """The mean colour as ``#rrggbb``, to paint while the thumbnail loads."""

    @property
    def aspect(self) -> float:
        """Width divided by height."""
        return self.width / self.height

    @property
    def orientation(self) -> str:
        """``square`` within 5 % of equal sides, else ``landscape`` or ``portrait``."""
        if abs(self.aspect - 1.0) <= 0.05:
            return "square"
        return "landscape" if self.aspect > 1.0 else "portrait"


@dataclass(frozen=True, slots=True)
class StoredAsset:
    """One version of an asset as the catalog holds it."""

    ordinal: Ordinal
    asset: Asset
    picture: PictureFacts | None
    updated_at: str
    """UTC, ISO 8601, to the second."""

    def facets(self) -> Iterator[tuple[str, AttributeValue]]:
        """The asset's facets, and ``width``, ``height``, ``aspect`` and ``orientation``."""
        yield from self.asset.facets()
        yield "has_picture", self.picture is not None
        if self.picture is not None:
            yield "width", self.picture.width
            yield "height", self.picture.height
            yield "aspect", round(self.picture.aspect, 4)
            yield "orientation", self.picture.orientation
