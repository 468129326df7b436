"""Cached candidates of judged queries, retrieved once and fused under many settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hybrid_search.core.candidates import CandidateList, Flags, Floats, Retrieved
from hybrid_search.relevance.evaluation import TestQuery
from hybrid_search.search.searcher import Searcher


@dataclass(frozen=True, slots=True)
class Candidates:
    """The candidates of one judged query with their grades."""

    test: TestQuery
    ids: tuple[str, ...]
    """``(n,)``: the asset id of each row; empty for an asset deleted since."""
    grades: Floats
    """``(n,)``: the judgment of each row, 0 for rows that are not judged or out of scope."""
    judged: tuple[float, ...]
    """The grades of all judgments of the query."""
    retrieved: Retrieved
    in_scope: Flags
    """``(n,)``: whether the row's source is in the scope of the query."""

    @property
    def lists(self) -> tuple[CandidateList, ...]:
        """The candidate lists, to the widest tried window."""
        return self.retrieved.lists


def retrieve(searcher: Searcher, test: TestQuery, judgments: Mapping[str, int]) -> Candidates:
    """The candidates of the query; ``judgments`` are grades by asset id."""
    found = searcher.retrieve(test.query).candidates
    arrivals = found.arrivals.tolist()
    stored = searcher.view().fetch(arrivals)
    assets = [stored[arrival].asset if arrival in stored else None for arrival in arrivals]
    ids = tuple("" if asset is None else str(asset.id) for asset in assets)
    scope = np.array([a is not None and test.scope in {"all", a.source} for a in assets], np.bool_)
    grades = [max(0, judgments.get(name, 0)) for name in ids]
    return Candidates(
        test=test,
        ids=ids,
        grades=np.where(scope, np.array(grades, np.float64), 0.0),
        judged=tuple(float(grade) for grade in judgments.values()),
        retrieved=found,
        in_scope=scope,
    )
