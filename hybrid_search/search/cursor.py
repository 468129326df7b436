"""Names of rankings, and positions in them as clients hand them back."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

import orjson

from hybrid_search.core.errors import InvalidQuery


def hashed(parts: object) -> str:
    """A name that is the same for the same parts."""
    return hashlib.sha256(repr(parts).encode("utf-8", "replace")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class RankingKey:
    """Names a ranking: equal keys, equal orders.

    >>> key = RankingKey("question", "fusion", "5e4c", 17, "9f")
    >>> str(key), RankingKey.parse(str(key)) == key
    ('question-fusion-5e4c.17.9f', True)
    """

    question: str
    """All of a query that decides its candidates."""
    fusion: str
    """How they are fused."""
    search_id: str = ""
    """The search that lots were drawn for, when two rankings are interleaved."""
    version: int = 0
    """The last operation that the candidates saw."""
    calibration: str = ""
    """The baselines that confidence was computed with."""

    def __str__(self) -> str:
        """The key as a client sees it: the ``token`` of an answer."""
        mixed = f"-{self.search_id}" if self.search_id else ""
        return f"{self.question}-{self.fusion}{mixed}.{self.version}.{self.calibration}"

    @classmethod
    def parse(cls, text: str) -> RankingKey:
        """The key in that text; raises ``ValueError``."""
        search, version, calibration = text.split(".", 2)
        question, fusion, *search_id = search.split("-", 2)
        return cls(question, fusion, "".join(search_id), int(version), calibration)

    def same_search(self, other: RankingKey) -> bool:
        """Whether both are of one search, at whatever version of the index."""
        mine = (self.question, self.fusion, self.search_id)
        return mine == (other.question, other.fusion, other.search_id)


def to_cursor(key: RankingKey, position: int) -> str:
    """A position in the ranking, for the next page.

    >>> read_cursor(to_cursor(RankingKey("question", "fusion", version=17), 20))[1]
    20
    """
    return base64.urlsafe_b64encode(orjson.dumps([str(key), position])).decode()


def read_cursor(cursor: str) -> tuple[RankingKey, int]:
    """The ranking and the position; raises ``InvalidQuery``."""
    try:
        text, position = orjson.loads(base64.urlsafe_b64decode(cursor.encode()))
        key = RankingKey.parse(text)
    except (ValueError, TypeError, AttributeError):
        raise InvalidQuery("cursor: not one that a search gave") from None
    if not isinstance(position, int) or position < 0:
        raise InvalidQuery("cursor: not one that a search gave")
    return key, position
