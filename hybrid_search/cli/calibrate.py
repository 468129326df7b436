"""Measuring what is usual in an index, and what judged queries say of the weights of its lists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from typing_extensions import TypedDict

from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.tables import console, print_json, progress_bar
from hybrid_search.core.errors import InvalidInput
from hybrid_search.core.similarity_baseline import LEAST, SimilarityBaseline
from hybrid_search.engine.factory import open_engine
from hybrid_search.relevance.statistics import spread
from hybrid_search.relevance.tuning.list_weights import WeightCheck, check_weights
from hybrid_search.settings.settings import Settings, load_settings
from hybrid_search.stores.embedded.rebuild import Baselines, calibrate


class BaselineJson(TypedDict):
    """What is usual among the vectors of an index.

    ``deviation`` is the mean one of similarities; ``tails`` say by how much the best of unrelated
    ones stand out against normally distributed ones.
    """

    vectors: int
    deviation: float
    tails: dict[str, float]


class WeightsJson(TypedDict):
    """What judged queries say of the weights."""

    ndcg_before: float
    ndcg_after: float
    interval: list[float]
    better: bool
    weights: dict[str, float]
    refused: float


class CalibratedJson(TypedDict):
    """What was measured."""

    backgrounds: dict[str, BaselineJson | None]
    weights: WeightsJson | None


def calibrate_index(
    queries: Annotated[
        Path | None, typer.Option("--queries", help="Judged queries, JSONL: are weights right?")
    ] = None,
    qrels: Annotated[
        Path | None, typer.Option("--qrels", help="Judgments of the queries, TREC qrels.")
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Measure what similarities are usual in the index, by which confidence is told.

    Writing and rebuilding do so by themselves. With judged queries, also tell whether other
    weights of the lists would be better, on queries that they were not chosen on.
    """
    settings = load_settings(data_dir)
    if (queries is None) != (qrels is None):
        raise InvalidInput("calibrate: --queries and --qrels go together")
    with progress_bar(quiet=json) as bar:
        task = bar.add_task("calibrating", total=None)
        found = calibrate(settings)
        judged = _judged(settings, queries, qrels) if queries and qrels else None
        bar.update(task, total=1, completed=1)
    if json:
        print_json(_as_json(found, judged))
    else:
        _print(found, judged, settings)


def _judged(settings: Settings, queries: Path, qrels: Path) -> WeightCheck:
    with open_engine(settings) as engine:
        fusion = settings.fusion.settings()
        return check_weights(engine.searcher, engine.catalog, queries, qrels, fusion)


def _as_json(found: Baselines, judged: WeightCheck | None) -> CalibratedJson:
    return {
        "backgrounds": {
            subject: None if usual is None else _baseline(usual) for subject, usual in found.items()
        },
        "weights": None if judged is None else _weights(judged),
    }


def _baseline(usual: SimilarityBaseline) -> BaselineJson:
    return {
        "vectors": usual.vectors,
        "deviation": round(usual.deviation, 4),
        "tails": dict[str, float](usual.tails.items()),
    }


def _weights(judged: WeightCheck) -> WeightsJson:
    return {
        "ndcg_before": round(judged.before, 4),
        "ndcg_after": round(judged.after, 4),
        "interval": [round(judged.difference.low, 4), round(judged.difference.high, 4)],
        "better": judged.better,
        "weights": dict[str, float](judged.weights.items()),
        "refused": round(judged.refused, 4),
    }


def _print(found: Baselines, judged: WeightCheck | None, settings: Settings) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("index", "vectors", "deviation", "tails"):
        table.add_column(column)
    for subject, usual in found.items():
        table.add_row(subject, *_cells(usual))
    console.print(table)
    if judged is not None:
        _print_weights(judged, _set_weights(settings))


def _cells(usual: SimilarityBaseline | None) -> tuple[str, str, str]:
    if usual is None:
        return f"fewer than {LEAST}: too few to tell", "", ""
    tails = ", ".join(f"{asker} {value:.2f}" for asker, value in usual.tails.items())
    return f"{usual.vectors:,}", f"{usual.deviation:.3f}", tails


def _set_weights(settings: Settings) -> Mapping[str, float]:
    return {name: part.weight for name, part in settings.fusion.settings().lists.items()}


def _print_weights(judged: WeightCheck, before: Mapping[str, float]) -> None:
    console.print(
        f"nDCG@10 {judged.before:.3f} with the configured weights, {judged.after:.3f} with"
        f" cross-validated weights: {spread(judged.difference)}, 95 % interval"
    )
    console.print(f"answered queries reported as no good match: {judged.refused:.1%}")
    changed = {name: w for name, w in judged.weights.items() if w != before[name]}
    if not judged.better or not changed:
        console.print("keep the configured weights: no others are significantly better")
        return
    for name, weight in changed.items():
        console.print(
            f"better, in hybrid_search.toml: [fusion.{name}] weight = {weight:g}", markup=False
        )
