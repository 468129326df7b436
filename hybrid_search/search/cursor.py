"""Names of rankings, and places in them as clients hand them back."""

from __future__ import annotations

import base64
import hashlib

import orjson

from hybrid_search.core.errors import InvalidQuery


def hashed(parts: object) -> str:
    """A name that is the same for the same parts."""
    return hashlib.sha256(repr(parts).encode("utf-8", "replace")).hexdigest()[:32]


def mixed_as(key: str) -> str | None:
    """The search that the lots were drawn for, where the key is of a mixed ranking.

    >>> mixed_as("question-fusion-5e4c.17"), mixed_as("question-fusion.17")
    ('5e4c', None)
    """
    return next(iter(key.split(".", maxsplit=1)[0].split("-")[2:3]), None)


def to_cursor(key: str, position: int) -> str:
    """The place in the ranking of that key.

    >>> read_cursor(to_cursor("question-fusion.17", 20))
    ('question-fusion.17', 20)
    """
    return base64.urlsafe_b64encode(orjson.dumps([key, position])).decode()


def read_cursor(cursor: str) -> tuple[str, int]:
    """The key and the place; raises ``InvalidQuery``."""
    try:
        key, position = orjson.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, TypeError):
        raise InvalidQuery("cursor: not one that a search gave") from None
    if not isinstance(key, str) or not isinstance(position, int) or position < 0:
        raise InvalidQuery("cursor: not one that a search gave")
    return key, position
