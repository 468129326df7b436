"""Why an asset ranks where it does for a query, and where it would rank with other settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from hybrid_search.core import (
    Explanation,
    FusedHit,
    FusionSettings,
    Hit,
    Otherwise,
    Query,
    StoredAsset,
)
from hybrid_search.core.deadline import stage
from hybrid_search.core.ports.store import View
from hybrid_search.search.fusion import Fusion
from hybrid_search.search.hit_evidence import explained, list_reports, to_hit
from hybrid_search.search.ranking import Ranking
from hybrid_search.search.searcher import Searcher

_CONSTANTS = (1.0, 10.0, 30.0, 60.0, 200.0)
"""Rank constants that are tried."""
_FACTORS = (0.0, 0.5, 2.0)
"""Factors of each weight that are tried; of a weight of 0, these values themselves."""


def explain(searcher: Searcher, query: Query, stored: StoredAsset) -> Explanation:
    """The explanation for that asset, found or not; the query's page does not matter.

    Raises ``InvalidQuery`` and ``UnknownAsset``.
    """
    view = searcher.view()
    ranking = searcher.rank(query, view)
    rank = ranking.order.rank(stored.arrival)
    with stage("explain"):
        admitted = view.score(ranking.retrieval.plan, [stored.arrival]).admitted
        return Explanation(
            rank=rank,
            hit=_hit(searcher, view, ranking, stored, rank),
            candidates=len(ranking.order),
            admitted=bool(admitted[0]),
            lists=list_reports(ranking),
            rank_constant=ranking.settings.rank_constant,
            fusion=ranking.settings.method,
            # A sorted answer is in the order of a field, whatever the weights.
            otherwise=() if query.sort else tuple(_alternatives(ranking, stored.arrival)),
        )


def _hit(
    searcher: Searcher, view: View, ranking: Ranking, stored: StoredAsset, rank: int | None
) -> Hit:
    absent = FusedHit(stored.arrival, 0.0, 0, matched=False)
    fused = absent if rank is None else ranking.order.hit(rank - 1)
    (parts,) = explained(view, ranking, [fused])
    hit = to_hit(rank or 0, fused, stored, parts)
    return searcher.highlighted(ranking, hit)


def _alternatives(ranking: Ranking, arrival: int) -> Iterator[Otherwise]:
    """The asset's rank under settings that differ in one number."""
    candidates = ranking.retrieval.candidates
    row, variations = candidates.row(arrival), list(_variations(ranking))
    ranked = Fusion(candidates, [settings for _, _, settings in variations]).ranked()
    for (setting, value, _), rows in zip(variations, ranked, strict=True):
        at = np.flatnonzero(rows == (-1 if row is None else row))
        yield Otherwise(setting, value, int(at[0]) + 1 if len(at) else None)


def _variations(ranking: Ranking) -> Iterator[tuple[str, float, FusionSettings]]:
    """Settings that differ in one number: each weight, then the rank constant."""
    settings = ranking.settings
    for name in (part.name for part in ranking.retrieval.candidates.lists):
        own = settings.lists[name]
        for factor in _FACTORS:
            weight = factor * own.weight if own.weight else factor
            lists = {**settings.lists, name: replace(own, weight=weight)}
            yield f"weight.{name}", weight, replace(settings, lists=lists)
    for constant in _CONSTANTS:
        yield "rank_constant", constant, replace(settings, rank_constant=constant)
