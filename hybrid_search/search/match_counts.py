"""Matches beyond the windows: how many there are, and which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hybrid_search.core import FusionSettings
from hybrid_search.core.candidates import Retrieved
from hybrid_search.core.ports.store import Matched, View
from hybrid_search.search.fusion import Order
from hybrid_search.search.matched_set import Thresholds, matched_rows, open_lists
from hybrid_search.search.retriever import Retrieval


def count_matched(
    view: View,
    found: Retrieval,
    settings: FusionSettings,
    fields: Sequence[str] = (),
    limit: int = 0,
) -> Matched:
    """How many assets match, and at most ``limit`` values that they have in each field.

    The store is asked only for what the windows do not show.
    """
    candidates, lists = found.candidates, settings.lists
    if fields and found.plan.browses:
        return view.matched(found.plan, (), fields, limit)
    matched = candidates.arrivals[matched_rows(candidates, lists)]
    rest = open_lists(candidates, found.plan, lists)
    if not rest and not fields:
        return Matched(len(matched), {})
    return view.matched(replace(found.plan, lists=rest), matched.tolist(), fields, limit)


def tail(found: Retrieved, head: Order, lists: Thresholds) -> Order:
    """The matches that are not in the head: the most confident first, then by arrival."""
    confidence = np.zeros(len(found.arrivals))
    for part in found.lists:
        own = 1.0 if part.confidences is None else part.confidences
        confidence[part.rows] = np.maximum(confidence[part.rows], own)
    rest = np.flatnonzero(matched_rows(found, lists) & ~np.isin(found.arrivals, head.arrivals))
    rows = rest[np.argsort(-confidence[rest], kind="stable")]
    none = np.zeros(len(rows))
    return Order(
        np.full(len(rows), -1),
        found.arrivals[rows],
        none,
        found.phrases[rows],
        none + 1.0,
        np.ones(len(rows), np.bool_),
    )
