"""Assets as JSON objects: what a manifest row or a request body may contain."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from hybrid_search.core.assets import Asset, AssetId, AttributeValue
from hybrid_search.core.errors import InvalidAsset
from hybrid_search.core.json_input import parse_model

MAX_ATTRIBUTES = 100
MAX_ATTRIBUTE_NAME = 100
RESERVED_ENDINGS = ("similar", "explain", "image", "thumbnail", "versions", "duplicates")
"""Last path segments of routes. An id that ends in one would be ambiguous."""
_OPERATORS = {"and", "or", "not"}
"""Keys with a meaning in filters, so that no attribute can be named like them."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")
_SUFFIXED = re.compile(r"(?P<kind>text|tags)[_.](?P<language>[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)$")


def _encodable(value: Any) -> Any:
    """Refuse a text that UTF-8 cannot encode."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("contains an unpaired surrogate, which is not a character") from None
    return value


def _iso_date(value: Any) -> Any:
    """An ISO 8601 date as text, from text or from a date object of a typed manifest."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, str) and value:
        datetime.fromisoformat(value)
    return value


def _attribute(value: Any) -> Any:
    """Refuse a value that no attribute can have, in one sentence instead of one per type."""
    texts = isinstance(value, list) and all(isinstance(part, str) for part in value)
    if not texts and not isinstance(value, str | bool | int | float):
        raise ValueError("must be a text, a number, true or false, or a list of texts")
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        raise ValueError("a whole number must fit into 64 bits")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


Line = Annotated[str, BeforeValidator(_encodable), Field(max_length=1_000)]
Text = Annotated[str, BeforeValidator(_encodable), Field(max_length=100_000)]
Day = Annotated[str, BeforeValidator(_iso_date), Field(max_length=40)]
Attribute = Annotated[bool | int | float | Text | list[Line], BeforeValidator(_attribute)]


class AssetBody(BaseModel):
    """An advertising asset: a picture with text, or either alone.

    Every further key is an attribute: text, number, true or false, or a list of texts. Attributes
    are stored, returned and can be filtered by. They are searched only if the settings say so.
    """

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)
    __pydantic_extra__: dict[str, Attribute]

    id: Annotated[str, BeforeValidator(_encodable), Field(min_length=1, max_length=512)]
    """The caller's id of the asset."""
    title: Line = ""
    """The headline."""
    body: Text = ""
    """The main text."""
    brand: Line = ""
    """The advertiser's brand."""
    campaign: Line = ""
    """The campaign that it belongs to."""
    tags: Annotated[list[Line], Field(max_length=500)] = []
    """Keywords; each is searched as a text of its own."""
    language: Line = ""
    """Language of the text, as an ISO 639 code."""
    texts: Annotated[dict[Line, Text], Field(max_length=50)] = {}
    """The text in other languages, by ISO 639 code."""
    source: Line = ""
    """Where the asset comes from."""
    starts: Day = ""
    """First day of use, ISO 8601."""
    ends: Day = ""
    """Last day of use, ISO 8601."""

    @model_validator(mode="after")
    def _check(self) -> AssetBody:
        _check_id(self.id)
        extra = self.__pydantic_extra__
        if len(extra) > MAX_ATTRIBUTES:
            raise ValueError(f"{len(extra)} attributes, the limit is {MAX_ATTRIBUTES}")
        for name in extra:
            _check_attribute_name(name)
        return self

    def to_asset(self) -> Asset:
        """The asset, with blank tags and texts dropped and attributes sorted by name."""
        attributes: dict[str, AttributeValue] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in sorted(self.__pydantic_extra__.items())
        }
        return Asset(
            id=AssetId(self.id),
            title=self.title,
            body=self.body,
            brand=self.brand,
            campaign=self.campaign,
            tags=tuple(dict.fromkeys(tag for tag in self.tags if tag.strip())),
            language=self.language,
            texts={code: text for code, text in sorted(self.texts.items()) if text.strip()},
            source=self.source,
            starts=self.starts,
            ends=self.ends,
            attributes=attributes,
        )


def _check_id(asset_id: str) -> None:
    if _CONTROL.search(asset_id):
        raise ValueError("id: must not contain control characters or line breaks")
    if "/" in asset_id and asset_id.rsplit("/", 1)[-1] in RESERVED_ENDINGS:
        raise ValueError(f"id: must not end in /{' or /'.join(RESERVED_ENDINGS)}")


def _check_attribute_name(name: str) -> None:
    if not name or len(name) > MAX_ATTRIBUTE_NAME or name in _OPERATORS or _CONTROL.search(name):
        shown = name[:MAX_ATTRIBUTE_NAME]
        raise ValueError(
            f"attribute name {shown!r} must have 1 to {MAX_ATTRIBUTE_NAME} characters, no control"
            " characters, and not be one of and, or, not"
        )


def asset_from_json(data: Mapping[str, Any]) -> Asset:
    """The asset in a decoded JSON object, with the field names that manifests commonly use.

    ``lang`` is read as ``language``, ``text_ko`` as a text in that language (any ISO 639 code),
    and ``tags_ko`` as further tags. Keys with null or NaN are ignored. Raises ``InvalidAsset``.

    >>> asset_from_json({"id": "a", "lang": "en", "text_ko": "강아지"}).texts
    {'ko': '강아지'}
    """
    body: dict[str, Any] = {}
    texts: dict[str, Any] = {}
    tags: list[Any] = []
    for key, value in data.items():
        if _is_missing(value):
            continue
        suffixed = _SUFFIXED.match(key)
        if suffixed and suffixed["kind"] == "text":
            texts[suffixed["language"]] = value
        elif suffixed and isinstance(value, list):
            tags += value
        else:
            body["language" if key == "lang" else key] = value
    # A field of the wrong type is left as it is: the model refuses it by name.
    if texts and isinstance(body.setdefault("texts", {}), Mapping):
        body["texts"] = {**body["texts"], **texts}
    if tags and isinstance(body.setdefault("tags", []), list):
        body["tags"] = [*body["tags"], *tags]
    return parse_model(AssetBody, body, InvalidAsset).to_asset()


def _is_missing(value: Any) -> bool:
    """Whether the value is null or NaN, which data frames write for a missing value."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def asset_to_json(asset: Asset) -> dict[str, Any]:
    """The asset as a JSON object that ``asset_from_json`` reads back; empty fields left out."""
    names = ("id", "title", "body", "brand", "campaign", "tags", "language", "texts", "source")
    fields = {name: getattr(asset, name) for name in (*names, "starts", "ends")}
    return {name: value for name, value in fields.items() if value} | dict(asset.attributes)
