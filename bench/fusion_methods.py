"""Fusion methods with their parameter choices; all rank the same candidates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from types import MappingProxyType
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from hybrid_search.core import (
    LIST_NAMES,
    FusionMethod,
    FusionSettings,
    ListName,
    ListSettings,
    Ordinal,
)
from hybrid_search.core.candidate_lists import LISTS
from hybrid_search.core.candidates import CandidateList, Retrieved
from hybrid_search.relevance.evaluation import TestQuery
from hybrid_search.search.fusion import fuse
from hybrid_search.search.retriever import Retrieval
from hybrid_search.settings.sections import FusionSection

Floats = NDArray[np.float64]
DEPTH = 10
OF_WORDS: tuple[ListName, ...] = ("phrase", "lexical")
OF_VECTORS: tuple[ListName, ...] = ("text_to_image", "copy_semantic", "image_to_image")
FUSED: tuple[ListName, ...] = ("lexical", *OF_VECTORS)
"""The weighted lists. Assets with a quoted phrase rank above them in every method."""
LEAST: Mapping[ListName, float] = dict.fromkeys(OF_VECTORS, -1.0) | {"lexical": 0.0}
"""Lower bound of a list's scores."""


@dataclass(frozen=True, slots=True)
class Case:
    """A judged query with its candidates."""

    type: str
    rows: Retrieved
    words: int
    gains: Floats
    in_scope: NDArray[np.bool_]
    ideal: float
    ranks: Mapping[ListName, Floats] = field(default_factory=dict)
    scores: Mapping[ListName, Floats] = field(default_factory=dict)
    confidences: Mapping[ListName, Floats] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        query: TestQuery,
        retrieval: Retrieval,
        relevant: Mapping[Ordinal, int],
        sources: Mapping[Ordinal, str],
    ) -> Case:
        """The query with what was retrieved for it."""
        rows = retrieval.candidates
        docs = rows.arrivals
        best = np.sort(list(relevant.values()))[::-1][:DEPTH].astype(float)
        spread = {part.name: _spread(part, docs) for part in rows.lists if len(part.rows)}
        return cls(
            type=query.type,
            rows=rows,
            words=len(retrieval.parsed.meaning.split()),
            gains=np.array([relevant.get(Ordinal(o), 0) for o in docs.tolist()], float),
            in_scope=np.array(
                [query.scope in {"all", sources[Ordinal(o)]} for o in docs.tolist()], bool
            ),
            ideal=float((best * discounts(len(best))).sum()),
            ranks={name: columns[0] for name, columns in spread.items()},
            scores={name: columns[1] for name, columns in spread.items()},
            confidences={name: columns[2] for name, columns in spread.items()},
        )

    @property
    def docs(self) -> NDArray[np.int64]:
        """All candidates, ascending."""
        return self.rows.arrivals

    @property
    def lists(self) -> tuple[CandidateList, ...]:
        """The candidate lists."""
        return self.rows.lists


def _spread(part: CandidateList, docs: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """Rank, score and confidence of every candidate; where the list lacks it, inf, nan and 0."""
    at = part.rows
    ranks, scores = np.full(len(docs), np.inf), np.full(len(docs), np.nan)
    confidences = np.zeros(len(docs))
    ranks[at], scores[at] = np.arange(1, len(at) + 1), part.scores
    confidences[at] = 1.0 if part.confidences is None else part.confidences
    return ranks, scores, confidences


def discounts(count: int) -> Floats:
    """Return the DCG discounts of the first ranks."""
    return 1.0 / np.log2(np.arange(2, count + 2))


def ndcg(case: Case, fused: Floats) -> float:
    """Return nDCG@10 of the candidates by descending score; a score of 0 is no candidate."""
    kept = np.flatnonzero((fused > 0.0) & case.in_scope)
    held = case.rows.phrases[kept]
    order = kept[np.lexsort((case.docs[kept], -fused[kept], -held))][:DEPTH]
    return float((case.gains[order] * discounts(len(order))).sum() / case.ideal)


Rank = Callable[[Case], Floats]
"""Returns a score for every candidate of a case, 0 if it is not ranked."""


@dataclass(frozen=True, slots=True)
class Method:
    """A fusion method: rankers by parameter choice, or a function that learns one."""

    name: str
    choices: Mapping[str, Rank] = field(default_factory=dict)
    train: Callable[[Sequence[Case]], Rank] | None = None


def plain(method: Method) -> Rank | None:
    """Return the ranker of a method without parameters, otherwise ``None``."""
    return next(iter(method.choices.values())) if len(method.choices) == 1 else None


# --------------------------------------------------------------------------------- the product


def served(settings: FusionSettings) -> Rank:
    """Return the ranker that fuses as the engine does under these settings."""

    def rank(case: Case) -> Floats:
        named = {part.name: part.window for part in case.lists if part.name in settings.lists}
        order = fuse(case.rows.narrowed(named), settings)
        fused = np.zeros(len(case.docs))
        fused[order.rows] = order.scores
        return fused

    return rank


def setting(
    method: FusionMethod = "rrf",
    k: float = 60.0,
    lists: Sequence[ListName] = LIST_NAMES,
    weights: Mapping[ListName, float] = MappingProxyType({}),
) -> FusionSettings:
    """Settings with these lists; a list without a weight has weight 1."""
    named = {name: ListSettings(200, weights.get(name, 1.0)) for name in lists}
    return FusionSettings(k, named, method)


CONFIDENT = FusionSection().settings()


# ---------------------------------------------------------------------------- scores, summed


def summed(normal: Callable[[Case, ListName], Floats], weights: Mapping[ListName, float]) -> Rank:
    """Return the ranker by the weighted sum of normalised scores; a missing hit counts 0."""

    def rank(case: Case) -> Floats:
        total = np.zeros(len(case.docs))
        for name in FUSED:
            if name in case.scores:
                total += weights[name] * np.nan_to_num(normal(case, name)) + 1e-9 * (
                    case.ranks[name] < np.inf
                )
        return total

    return rank


def by_least_and_best(case: Case, name: ListName) -> Floats:
    """Scale scores from their lower bound (0) to the maximum of the list (1).

    TM2C2 of Bruch, Gai and Ingber: An Analysis of Fusion Functions for Hybrid Retrieval, 2023.
    """
    scores, least = case.scores[name], LEAST[name]
    return (scores - least) / max(float(np.nanmax(scores)) - least, 1e-9)


def by_distribution(case: Case, name: ListName) -> Floats:
    """Scale scores from three deviations below the mean to three above: DBSF, as in Qdrant."""
    scores = case.scores[name]
    mean, deviation = float(np.nanmean(scores)), float(np.nanstd(scores))
    return np.clip((scores - mean) / max(6.0 * deviation, 1e-9) + 0.5, 0.0, 1.0)


def by_confidence(case: Case, name: ListName) -> Floats:
    """Return the confidence as the score."""
    return case.confidences[name]


def grid() -> Iterator[dict[ListName, float]]:
    """Yield the weights to choose from."""
    for words, pictures, copy in product((1.0, 2.0, 4.0), (0.25, 0.5, 1.0), (0.25, 0.5, 1.0)):
        yield {
            "lexical": words,
            "text_to_image": pictures,
            "copy_semantic": copy,
            "image_to_image": 1.0,
        }


def over_grid(make: Callable[[Mapping[ListName, float]], Rank]) -> dict[str, Rank]:
    """Return the rankers for all weights of the grid."""
    return {str(weights): make(weights) for weights in grid()}


# ------------------------------------------------------------------------------------ learned


TREES = {
    "objective": "lambdarank",
    "num_leaves": 15,
    "min_data_in_leaf": 30,
    "learning_rate": 0.1,
    "seed": 0,
    "deterministic": True,
    "verbose": -1,
}


def lambda_mart(cases: Sequence[Case]) -> Rank:
    """Train LambdaMART (Burges 2010) on ranks, scores and confidences: 60 trees of 15 leaves."""
    used = [case for case in cases if len(case.docs)]
    rows = lightgbm.Dataset(
        np.concatenate([features(case) for case in used]),
        np.concatenate([case.gains for case in used]),
        group=[len(case.docs) for case in used],
    )
    model = lightgbm.train(TREES, rows, num_boost_round=60)

    def rank(case: Case) -> Floats:
        if not len(case.docs):
            return np.zeros(0)
        raw: Floats = np.asarray(model.predict(features(case)), float)
        least = float(raw.min())
        return raw - least + 1e-6

    return rank


def features(case: Case) -> NDArray[Any]:
    """Return the features of each candidate that are known at query time."""
    columns = [np.full(len(case.docs), float(case.words))]
    for name in FUSED:
        ranks = case.ranks.get(name, np.full(len(case.docs), np.inf))
        confidences = case.confidences.get(name, np.zeros(len(case.docs)))
        scores = np.nan_to_num(case.scores.get(name, np.zeros(len(case.docs))))
        text = LISTS[name].modality == "text"
        has = case.rows.has_text if text else case.rows.has_picture
        columns += [1.0 / (30.0 + ranks), confidences, scores]
        columns.append(np.full(len(case.docs), confidences.max(initial=0.0)))
        columns.append((~has).astype(float))
    return np.column_stack(columns)


METHODS = (
    Method("lexical list alone", {"": served(setting(lists=OF_WORDS))}),
    Method("vector lists, plain RRF", {"": served(setting(lists=OF_VECTORS))}),
    Method(
        "vector lists, confident RRF",
        {"": served(replace(CONFIDENT, lists={n: CONFIDENT.lists[n] for n in OF_VECTORS}))},
    ),
    Method("RRF, k 60", {"": served(setting())}),
    Method("RRF, k 10", {"": served(setting(k=10.0))}),
    Method(
        "RRF, weights and k chosen",
        {
            f"{k} {weights}": served(setting("rrf", k, weights=weights))
            for k in (10.0, 60.0)
            for weights in grid()
        },
    ),
    Method(
        "linear, bound to maximum",
        over_grid(lambda weights: summed(by_least_and_best, weights)),
    ),
    Method("DBSF", over_grid(lambda weights: summed(by_distribution, weights))),
    Method("linear, confidences", over_grid(lambda weights: summed(by_confidence, weights))),
    Method("confident RRF", {"": served(CONFIDENT)}),
    Method(
        "confident RRF, weights chosen",
        {str(w): served(setting("confident_rrf", 30.0, weights=w)) for w in grid()},
    ),
    Method("LambdaMART on the same features", train=lambda_mart),
)
