"""Which assets match a query, and which are only related.

With quoted phrases, an asset matches when it holds all of them. Otherwise it matches when the
confidence of any calibrated list reaches the list's threshold (``no_match_below``). Fusion does
not change membership.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from hybrid_search.core import ListName, ListSettings
from hybrid_search.core.candidates import Flags, Retrieved
from hybrid_search.core.ports.store import ListPlan, Plan

Thresholds = Mapping[ListName, ListSettings]


def matched_rows(retrieved: Retrieved, lists: Thresholds) -> Flags:
    """``(n,)``: which candidates match.

    >>> from hybrid_search.core.candidates import CandidateList
    >>> found = CandidateList(
    ...     "lexical", np.arange(2), np.ones(2), 10, confidences=np.array([0.9, 0.1])
    ... )
    >>> matched_rows(Retrieved.of([found], [7, 8]), {"lexical": ListSettings(10, 1.0, 0.4)})
    array([ True, False])
    """
    if retrieved.quoted:
        return retrieved.phrases >= retrieved.quoted
    none = np.zeros(len(retrieved.arrivals), np.bool_)
    matched = none if retrieved.beyond is None else retrieved.beyond.copy()
    for part in retrieved.lists:
        if part.calibrated:
            matched[part.rows] |= part.above(lists[part.name].no_match_below)
    return matched


def open_lists(retrieved: Retrieved, plan: Plan, lists: Thresholds) -> tuple[ListPlan, ...]:
    """The lists beyond whose windows assets may match."""
    found = {part.name: part for part in retrieved.lists}
    several = len(plan.phrases) > 1
    return tuple(
        part
        for part in plan.lists
        if part.cut is not None
        and (several or not found[part.name].is_complete(lists[part.name].no_match_below))
    )


def beyond(part: ListPlan, window: int) -> ListPlan:
    """The list down to its cut instead of to its window."""
    if part.vector is None or part.cut is None:
        return replace(part, window=window)
    return replace(part, window=window, floor=max(part.cut, part.floor or -1.0))
