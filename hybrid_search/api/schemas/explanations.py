"""Explanations as JSON."""

from __future__ import annotations

from typing_extensions import TypedDict

from hybrid_search.api.schemas.results import HitJson, ListReportJson, hit_to_json, report_to_json
from hybrid_search.core import Explanation


class OtherwiseJson(TypedDict):
    """The rank of the asset if this one setting had this value."""

    setting: str
    value: float
    rank: int | None


class ExplanationJson(TypedDict):
    """The rank of an asset in a search, and what it is made of.

    ``rank`` is null when the asset is not a candidate of any list; ``admitted`` is false when the
    filter or an excluded word removes it. ``otherwise`` has its rank at other settings, one
    changed at a time; it is empty for a sorted search.
    """

    rank: int | None
    candidates: int
    admitted: bool
    hit: HitJson
    lists: list[ListReportJson]
    rank_constant: float
    fusion: str
    otherwise: list[OtherwiseJson]


def explanation_to_json(explained: Explanation) -> ExplanationJson:
    """The explanation as a JSON object."""
    return {
        "rank": explained.rank,
        "candidates": explained.candidates,
        "admitted": explained.admitted,
        "hit": hit_to_json(explained.hit),
        "lists": [report_to_json(report) for report in explained.lists],
        "rank_constant": explained.rank_constant,
        "fusion": explained.fusion,
        "otherwise": [
            {"setting": other.setting, "value": other.value, "rank": other.rank}
            for other in explained.otherwise
        ],
    }
