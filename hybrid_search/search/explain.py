"""Why an asset stands where it does for a query, and where it would stand at other settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hybrid_search.core import (
    Explanation,
    FusedHit,
    FusionSettings,
    Hit,
    Ordinal,
    Otherwise,
    Query,
    StoredAsset,
)
from hybrid_search.core.deadline import stage
from hybrid_search.search.searcher import Ranking, Searcher, list_reports

_CONSTANTS = (1.0, 10.0, 30.0, 60.0, 200.0)
"""Rank constants that are tried."""
_FACTORS = (0.0, 0.5, 2.0)
"""By what each weight is multiplied; where it is 0, they are tried themselves."""


def explain(searcher: Searcher, query: Query, stored: StoredAsset) -> Explanation:
    """The explanation for that asset, found or not; the query's page does not matter.

    Raises ``InvalidQuery`` and ``UnknownAsset``.
    """
    ranking = searcher.rank(query)
    rank = _rank_of(stored.ordinal, ranking.hits)
    with stage("explain"):
        return Explanation(
            rank=rank,
            hit=_hit(searcher, ranking, stored, rank),
            candidates=len(ranking.hits),
            admitted=searcher.admits(query, stored.ordinal),
            lists=list_reports(ranking),
            rank_constant=ranking.settings.rank_constant,
            fusion=ranking.settings.method,
            # A sorted answer stands in the order of a field, whatever the weights.
            otherwise=() if query.sort else tuple(_otherwise(searcher, ranking, stored.ordinal)),
        )


def _hit(searcher: Searcher, ranking: Ranking, stored: StoredAsset, rank: int | None) -> Hit:
    fused = FusedHit(stored.ordinal, 0.0, 0) if rank is None else ranking.hits[rank - 1]
    parts = searcher.explained(ranking, [fused])[stored.ordinal]
    hit = Hit(rank or 0, fused.score, stored, fused.phrases, contributions=parts, lift=fused.lift)
    return searcher.highlighted(ranking, hit)


def _otherwise(searcher: Searcher, ranking: Ranking, ordinal: Ordinal) -> Iterator[Otherwise]:
    for setting, value, settings in _variations(ranking):
        hits = searcher.fused(ranking.retrieved, settings)
        yield Otherwise(setting, value, _rank_of(ordinal, hits))


def _variations(ranking: Ranking) -> Iterator[tuple[str, float, FusionSettings]]:
    """Settings that differ in one number: each weight, then the rank constant."""
    settings = ranking.settings
    for name in (candidates.name for candidates in ranking.retrieved.lists):
        own = settings.lists[name]
        for factor in _FACTORS:
            weight = factor * own.weight if own.weight else factor
            lists = {**settings.lists, name: replace(own, weight=weight)}
            yield f"weight.{name}", weight, replace(settings, lists=lists)
    for constant in _CONSTANTS:
        yield "rank_constant", constant, replace(settings, rank_constant=constant)


def _rank_of(ordinal: Ordinal, hits: tuple[FusedHit, ...]) -> int | None:
    return next((at for at, hit in enumerate(hits, 1) if hit.ordinal == ordinal), None)
