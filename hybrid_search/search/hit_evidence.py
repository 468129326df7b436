"""What each list contributed to a hit, and what each list did in a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hybrid_search.core import (
    Contribution,
    FusedHit,
    FusionSettings,
    Hit,
    ListReport,
    StoredAsset,
)
from hybrid_search.core.candidates import CandidateList
from hybrid_search.core.ports.store import View
from hybrid_search.search.fusion import contributions
from hybrid_search.search.ranking import Ranking


def to_hit(
    rank: int, fused: FusedHit, stored: StoredAsset, parts: tuple[Contribution, ...] = ()
) -> Hit:
    """The fused hit with its asset, ready to be shown."""
    return Hit(
        rank,
        fused.score,
        stored,
        fused.phrases,
        fused.matched,
        contributions=parts,
        lift=fused.lift,
        team=fused.team,
    )


def explained(
    view: View, ranking: Ranking, hits: Sequence[FusedHit]
) -> list[tuple[Contribution, ...]]:
    """The contributions of each hit; for lists without it, its score there and why it is absent."""
    found, arrivals = ranking.retrieval, [hit.arrival for hit in hits]
    rows = [found.candidates.row(arrival) for arrival in arrivals]
    parts = contributions(
        [-1 if row is None else row for row in rows],
        [hit.lift for hit in hits],
        found.candidates,
        ranking.settings,
    )
    scores = view.score(found.plan, arrivals).lists
    exhausted = {part.name for part in found.candidates.lists if part.exhausted}
    return [
        tuple(
            part
            if part.rank is not None
            else _absent(part, np.nan if part.list in exhausted else scores[part.list][place])
            for part in one
        )
        for place, one in enumerate(parts)
    ]


def _absent(part: Contribution, score: float) -> Contribution:
    if np.isnan(score):
        return replace(part, score=None, absent="not_matched")
    return replace(part, score=float(score), absent="below_window")


def list_reports(ranking: Ranking) -> tuple[ListReport, ...]:
    """What each list did, in their order."""
    lists = ranking.retrieval.candidates.lists
    return tuple(_report(part, ranking.settings) for part in lists)


def _report(part: CandidateList, settings: FusionSettings) -> ListReport:
    return ListReport(
        name=part.name,
        window=part.window,
        weight=settings.lists[part.name].weight,
        found=len(part.rows),
        total=part.total,
        plan=part.plan,
        confidence=part.confidence if settings.method == "confident_rrf" else 1.0,
        evidence=part.evidence,
    )
