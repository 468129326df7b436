"""Weights of the lists by judged queries, told only as far as they would hold on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hybrid_search.core import FusionSettings, ListName
from hybrid_search.core.ports import Catalog
from hybrid_search.relevance.evaluation import TestQuery, gains
from hybrid_search.search.searcher import Searcher

FOLDS = 5
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""What each list's weight is tried at, against the one it is set to."""
_RESAMPLES = 2000

_Scores = Mapping[str, Mapping[str, float]]
"""nDCG@10 of each query, by what was tried."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What judged queries say of the weights."""

    before: float
    """Mean nDCG@10 with the weights as they are set."""
    after: float
    """The same with weights chosen on other queries than they are measured on."""
    interval: tuple[float, float]
    """Of the difference, 95 %, by bootstrap over queries."""
    weights: Mapping[ListName, float]
    """The weights chosen on all queries."""
    refused: float
    """Share of the queries with a relevant hit among ten that are told there is no good match."""

    @property
    def better(self) -> bool:
        """Whether the gain would hold on other queries: else the weights stay as they are."""
        return self.interval[0] > 0.0


def calibrate_weights(
    searcher: Searcher,
    catalog: Catalog,
    queries: list[TestQuery],
    qrels: Path,
    settings: FusionSettings,
) -> Calibrated:
    """Try each list's weight by itself, each query retrieved once, and cross-validate the choice.

    The queries are cut into five parts; the weights measured on one are chosen on the others.
    """
    tried = _tried(settings)
    scores, good = gains(searcher, catalog, queries, qrels, tried)
    base = scores[_SET]
    chosen = [(part, _best(scores, rest)) for part, rest in _folds(sorted(base))]
    held_out = {qid: scores[name][qid] for part, name in chosen for qid in part}
    differences = np.array([held_out[qid] - base[qid] for qid in sorted(base)])
    found = [qid for qid, score in base.items() if score > 0.0]
    best = tried[_best(scores, sorted(base))]
    return Calibrated(
        before=float(np.mean(list(base.values()))),
        after=float(np.mean(list(held_out.values()))),
        interval=_interval(differences),
        weights={name: part.weight for name, part in best.lists.items()},
        refused=float(np.mean([not good[qid] for qid in found])) if found else 0.0,
    )


_SET = "as set"


def _tried(settings: FusionSettings) -> dict[str, FusionSettings]:
    """The settings, and each list at each factor of its weight."""
    tried = {_SET: settings}
    for name, part in settings.lists.items():
        for factor in FACTORS:
            lists = {**settings.lists, name: replace(part, weight=part.weight * factor)}
            tried[f"{name} x {factor:g}"] = replace(settings, lists=lists)
    return tried


def _folds(qids: list[str]) -> list[tuple[list[str], list[str]]]:
    """Each part, and the rest; by chance, the same for every run."""
    order = np.random.default_rng(0).permutation(len(qids))
    parts = [[qids[place] for place in order[start::FOLDS]] for start in range(FOLDS)]
    return [(part, [qid for qid in qids if qid not in set(part)]) for part in parts]


def _best(scores: _Scores, qids: Sequence[str]) -> str:
    """What was tried with the highest mean over these queries; of equals the first."""
    return max(scores, key=lambda name: sum(scores[name][qid] for qid in qids))


def _interval(differences: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float]:
    if not len(differences):
        return 0.0, 0.0
    chance = np.random.default_rng(0)
    places = chance.integers(0, len(differences), (_RESAMPLES, len(differences)))
    low, high = np.quantile(differences[places].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)
