"""Assets as JSON: what a manifest row, a request body and the catalog hold."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from hybrid_search.core import Asset, AssetId, AttributeValue
from hybrid_search.core.errors import InvalidAsset, InvalidInput, InvalidQuery
from hybrid_search.core.shown_values import shown

MAX_ATTRIBUTES = 100
RESERVED_ENDINGS = ("similar", "explain", "image", "thumbnail", "versions", "duplicates")
"""Last path segments of routes: an id that ends in one could not be told from the route."""
_RESERVED_FIELDS = {"and", "or", "not"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")
_SUFFIXED = re.compile(r"(?P<kind>text|tags)[_.](?P<language>[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)$")

MAX_SHOWN = 100
"""Characters of a name in a message."""
_BRANCHES = {"bool", "int", "float"}
"""Parts of an error's location that name a tried type, not a field."""

_Model = TypeVar("_Model", bound=BaseModel)


def _encodable(value: Any) -> Any:
    """Refuse a text that no encoding can hold (half of a surrogate pair)."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("holds half of a surrogate pair, which is no character") from None
    return value


def _iso_date(value: Any) -> Any:
    """A date in any ISO 8601 spelling as text; a date object of a typed manifest as well."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, str) and value:
        datetime.fromisoformat(value)
    return value


def _attribute(value: Any) -> Any:
    """Refuse in one sentence what no attribute can hold."""
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
    """An advertising asset: a picture with copy, or either alone.

    Every further key is an attribute: text, number, true or false, or a list of texts. It is
    stored, shown and can be filtered by, but it is not searched.
    """

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)
    __pydantic_extra__: dict[str, Attribute]

    id: Annotated[str, BeforeValidator(_encodable), Field(min_length=1, max_length=512)]
    """The caller's name of the asset."""
    title: Line = ""
    """The headline."""
    body: Text = ""
    """The running copy."""
    brand: Line = ""
    """Who advertises."""
    campaign: Line = ""
    """Which campaign it belongs to."""
    tags: Annotated[list[Line], Field(max_length=500)] = []
    """Key words; each is searched as a text of its own."""
    language: Line = ""
    """Language of the copy, as an ISO 639 code."""
    texts: Annotated[dict[Line, Text], Field(max_length=50)] = {}
    """The copy in other languages, by ISO 639 code."""
    source: Line = ""
    """Where the asset comes from."""
    starts: Day = ""
    """First day of use, ISO 8601."""
    ends: Day = ""
    """Last day of use, ISO 8601."""

    @model_validator(mode="after")
    def _check(self) -> AssetBody:
        if _CONTROL.search(self.id):
            raise ValueError("id: must not hold control characters or line breaks")
        if self.id.rsplit("/", 1)[-1] in RESERVED_ENDINGS and "/" in self.id:
            raise ValueError(f"id: must not end in /{' or /'.join(RESERVED_ENDINGS)}")
        extra = self.__pydantic_extra__
        if len(extra) > MAX_ATTRIBUTES:
            raise ValueError(f"{len(extra)} attributes, the limit is {MAX_ATTRIBUTES}")
        for name in extra:
            if name in _RESERVED_FIELDS or len(name) > 100 or _CONTROL.search(name) or not name:
                raise ValueError(f"attribute name {name[:100]!r} is reserved, empty or too long")
        return self

    def to_asset(self) -> Asset:
        """The same as a record."""
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


def parse_model(model: type[_Model], data: Any, error: type[InvalidInput]) -> _Model:
    """The validated model; raises ``error`` that names each wrong field, its value and limit."""
    try:
        return model.model_validate(data)
    except ValidationError as failure:
        raise error(explain_validation(failure)) from None


def explain_validation(failure: ValidationError) -> str:
    """One line that names each wrong field, what it held and what is wrong with it."""
    parts = []
    for problem in failure.errors(include_url=False, include_context=False)[:5]:
        where = _place(problem["loc"])
        value = shown(problem["input"])
        message = problem["msg"].removeprefix("Value error, ")
        parts.append(f"{where} = {value}: {message}" if where else message)
    return "; ".join(dict.fromkeys(parts))


def _place(location: tuple[int | str, ...]) -> str:
    """The field as a caller writes it, without the branches of a union that were tried."""
    return ".".join(
        str(part)[:MAX_SHOWN] for part in location if part not in _BRANCHES and "[" not in str(part)
    )


def asset_from_json(data: Mapping[str, Any]) -> Asset:
    """The asset in a decoded JSON object, under the names that manifests use for fields.

    ``lang`` stands for ``language``; ``text_ko`` and ``tags_ko`` (any language) for a text in
    that language and for further tags. Keys that hold nothing are left out.
    Raises ``InvalidAsset``.

    >>> asset_from_json({"id": "a", "lang": "en", "text_ko": "강아지"}).texts
    {'ko': '강아지'}
    """
    body: dict[str, Any] = {}
    texts: dict[str, Any] = {}
    more_tags: list[Any] = []
    for key, value in data.items():
        # Not a number says as little as null does; data frames write it for a missing value.
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        suffixed = _SUFFIXED.match(key)
        if suffixed and suffixed["kind"] == "text":
            texts[suffixed["language"]] = value
        elif suffixed and isinstance(value, list):
            more_tags += value
        else:
            body["language" if key == "lang" else key] = value
    # A field of the wrong type stays as it is, for the model to refuse by name.
    if texts and isinstance(body.setdefault("texts", {}), Mapping):
        body["texts"] = {**body["texts"], **texts}
    if more_tags and isinstance(body.setdefault("tags", []), list):
        body["tags"] = [*body["tags"], *more_tags]
    return parse_model(AssetBody, body, InvalidAsset).to_asset()


def asset_to_json(asset: Asset) -> dict[str, Any]:
    """The asset as a JSON object that ``asset_from_json`` reads back; empty fields left out."""
    names = ("id", "title", "body", "brand", "campaign", "tags", "language", "texts", "source")
    fields = {name: getattr(asset, name) for name in (*names, "starts", "ends")}
    return {name: value for name, value in fields.items() if value} | dict(asset.attributes)


def asset_to_stored(asset: Asset) -> bytes:
    """The asset as the catalog keeps it: equal assets give equal bytes."""
    fields = {name: getattr(asset, name) for name in _STORED_FIELDS}
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


def asset_from_stored(data: bytes) -> Asset:
    """The asset that ``asset_to_stored`` wrote."""
    fields = orjson.loads(data)
    fields["tags"] = tuple(fields["tags"])
    fields["attributes"] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in fields["attributes"].items()
    }
    return Asset(**fields)


_STORED_FIELDS = tuple(Asset.__dataclass_fields__)


def read_json(data: bytes, error: type[InvalidInput] = InvalidQuery) -> Any:
    """The decoded JSON; raises ``error`` for anything else, deep nesting included."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as failure:
        raise error(f"JSON: {failure}") from None


def decode_base64(text: str, error: type[InvalidInput] = InvalidQuery) -> bytes:
    """The bytes of a picture; a ``data:`` prefix is passed over. Raises ``error``."""
    _, comma, rest = text.partition(",")
    try:
        return base64.b64decode(rest if comma else text, validate=True)
    except (binascii.Error, ValueError) as failure:
        raise error(f"image: not base64, {failure}") from None
