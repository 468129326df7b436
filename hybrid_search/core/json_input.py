"""JSON from outside: decoded, validated, and refused with messages that name the field."""

from __future__ import annotations

import base64
import binascii
import reprlib
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from hybrid_search.core.errors import InvalidInput, InvalidQuery

_MAX_PROBLEMS = 5
"""Wrong fields that one message names."""
_MAX_NAME = 100
"""Characters of a field's name in a message."""
_UNION_BRANCHES = {"bool", "int", "float"}
"""Parts of a pydantic error location that name a tried type instead of a field."""
_SHORT = reprlib.Repr()
_SHORT.maxlevel = 3
_SHORT.maxstring = _SHORT.maxother = 60

_Model = TypeVar("_Model", bound=BaseModel)


def short_repr(value: object) -> str:
    """The value for a message: at most 60 characters a part and three levels deep."""
    return _SHORT.repr(value)


def read_json(data: bytes, error: type[InvalidInput] = InvalidQuery) -> Any:
    """The decoded JSON; raises ``error`` for anything else, including nesting that is too deep."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as failure:
        raise error(f"JSON: {failure}") from None


def decode_base64(text: str, error: type[InvalidInput] = InvalidQuery) -> bytes:
    r"""The bytes of a picture in base64, with or without a ``data:`` prefix; raises ``error``.

    >>> decode_base64("data:image/png;base64,AAE=")
    b'\x00\x01'
    """
    _, comma, rest = text.partition(",")
    try:
        return base64.b64decode(rest if comma else text, validate=True)
    except (binascii.Error, ValueError) as failure:
        raise error(f"image: not base64, {failure}") from None


def parse_model(model: type[_Model], data: Any, error: type[InvalidInput]) -> _Model:
    """The validated model; raises ``error`` naming each wrong field, its value and the limit."""
    try:
        return model.model_validate(data)
    except ValidationError as failure:
        raise error(explain_validation(failure)) from None


def explain_validation(failure: ValidationError) -> str:
    """One line with the first five wrong fields, what each held and what is wrong with it."""
    parts = []
    for problem in failure.errors(include_url=False, include_context=False)[:_MAX_PROBLEMS]:
        field = _field_path(problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        parts.append(f"{field} = {short_repr(problem['input'])}: {message}" if field else message)
    return "; ".join(dict.fromkeys(parts))


def _field_path(location: tuple[int | str, ...]) -> str:
    """The field as the caller writes it, without the union branches that pydantic tried."""
    return ".".join(
        str(part)[:_MAX_NAME]
        for part in location
        if part not in _UNION_BRANCHES and "[" not in str(part)
    )
