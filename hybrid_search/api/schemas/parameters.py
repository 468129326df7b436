"""Queries from the query string of a URL, the fields of a form, or the options of a command."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from hybrid_search.api.schemas.queries import MAX_WEIGHT, SearchBody
from hybrid_search.core import AllOf, Example, Filter, FusionSettings, Query
from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.filter_json import filter_from_json, filter_from_terms
from hybrid_search.core.json_input import parse_model, read_json

SINGLE = (
    *("q", "size", "offset", "cursor", "reuse", "mode", "fusion", "rank_constant"),
    *("min_similarity", "sort", "scope", "highlight", "explain", "search_id", "log"),
)
"""Fields of ``SearchBody`` with a parameter of the same name."""
REPEATED = {
    "filter": "A condition: field:value, field:10..20, field:abc*, field:*, or a JSON filter.",
    "facet": "A field to count values of, over the matches.",
    "like": "The id of an asset that hits should look like.",
    "unlike": "The id of an asset that hits should not look like.",
    "like_text": "A description that hits should look like.",
    "unlike_text": "A description that hits should not look like.",
}
"""Parameters that may be repeated, with their descriptions."""
WEIGHTED = "like, unlike, like_text or unlike_text with a weight: like.2, unlike_text.0.5."
"""Description of the parameters of weighted examples."""
_EXAMPLES = {
    "like": ("id", 1.0),
    "unlike": ("id", -1.0),
    "like_text": ("text", 1.0),
    "unlike_text": ("text", -1.0),
}
BY_LIST = {
    "window": "Number of candidates from a list, for example window.lexical=200.",
    "weight": "Weight of a list, for example weight.text_to_image=0.5.",
}
"""Parameters with the name of a list after a point, with their descriptions."""


def query_from_parameters(
    pairs: Iterable[tuple[str, str]],
    defaults: FusionSettings,
    pictures: Sequence[Example] = (),
) -> Query:
    """The query of these parameters; ``pictures`` are additional examples.

    Raises ``InvalidQuery`` that names the invalid parameter.
    """
    body: dict[str, Any] = {"like": [], "lists": {}, "facets": []}
    conditions: list[str] = []
    for name, value in pairs:
        what, point, ranked = name.partition(".")
        if name == "filter":
            conditions.append(value)
        elif name == "facet":
            body["facets"].append(value)
        elif what in _EXAMPLES:
            by, weight = _EXAMPLES[what]
            body["like"].append({by: value, "weight": weight * weight_in(name)})
        elif what in BY_LIST and point:
            body["lists"].setdefault(ranked, {})[what] = value
        else:
            _set_once(body, name, value)
    return parse_model(SearchBody, body, InvalidQuery).to_query(
        defaults, pictures, where=_filter(conditions)
    )


def weight_in(name: str) -> float:
    """The weight after the point in the name of an example; 1 without a point.

    Raises ``InvalidQuery``.

    >>> weight_in("like"), weight_in("image.-0.5")
    (1.0, -0.5)
    """
    what, point, text = name.partition(".")
    try:
        weight = float(text) if point else 1.0
    except ValueError:
        weight = math.nan
    if not abs(weight) <= MAX_WEIGHT:
        raise InvalidQuery(f"{name[:60]!r}: {what}.WEIGHT takes -{MAX_WEIGHT:g} to {MAX_WEIGHT:g}")
    return weight


def _set_once(body: dict[str, Any], name: str, value: str) -> None:
    if name not in SINGLE:
        behind = ("like.WEIGHT", *(f"{name}.LIST" for name in BY_LIST))
        known = ", ".join((*SINGLE, *REPEATED, *behind))
        raise InvalidQuery(f"{name[:60]!r} is not a parameter; known parameters: {known}")
    if name in body:
        raise InvalidQuery(f"{name}: given twice")
    body[name] = value


def _filter(conditions: list[str]) -> Filter | None:
    """The conditions joined by AND; one that begins with a brace is JSON."""
    trees = [filter_from_json(read_json(c.encode())) for c in conditions if c.startswith("{")]
    terms = filter_from_terms([c for c in conditions if not c.startswith("{")])
    parts = [*trees, *([] if terms is None else [terms])]
    return AllOf(tuple(parts)) if len(parts) > 1 else next(iter(parts), None)
