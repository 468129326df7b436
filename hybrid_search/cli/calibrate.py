"""``hybrid-search calibrate``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.table import Table
from typing_extensions import TypedDict

from hybrid_search.cli.options import DataDir, Json, Qrels, Queries
from hybrid_search.cli.progress import progress_bar
from hybrid_search.cli.read_only_index import open_to_read
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.core.errors import InvalidInput
from hybrid_search.core.similarity_baseline import LEAST, SimilarityBaseline
from hybrid_search.relevance.statistics import spread
from hybrid_search.relevance.tuning.list_weights import WeightCheck, check_weights
from hybrid_search.settings.settings import Settings, load_settings
from hybrid_search.stores.embedded.rebuild import Baselines, calibrate


class BaselineJson(TypedDict):
    """The baseline of an index: how similar unrelated vectors are.

    ``deviation`` is the mean standard deviation of similarities; ``tails`` are the factors by
    which the highest ones exceed those of a normal distribution.
    """

    vectors: int
    deviation: float
    tails: dict[str, float]


class WeightsJson(TypedDict):
    """The configured weights beside those that were fitted to judged queries."""

    ndcg_before: float
    ndcg_after: float
    interval: list[float]
    better: bool
    weights: dict[str, float]
    refused: float


class CalibratedJson(TypedDict):
    """The report of ``calibrate --json``."""

    backgrounds: dict[str, BaselineJson | None]
    weights: WeightsJson | None


def command(
    queries: Queries = None,
    qrels: Qrels = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Measure the baseline of similarities that confidence is computed from.

    Writing and rebuilding do so by themselves. With judged queries, also report whether other
    list weights would be better on held-out queries.
    """
    settings = load_settings(data_dir)
    if (queries is None) != (qrels is None):
        raise InvalidInput("calibrate: --queries and --qrels go together")
    with progress_bar(quiet=json) as bar:
        task = bar.add_task("calibrating", total=None)
        baselines = calibrate(settings)
        judged = _judged(settings, queries, qrels) if queries and qrels else None
        bar.update(task, total=1, completed=1)
    if json:
        print_json(_as_json(baselines, judged))
    else:
        _print(baselines, judged, settings)


def _judged(settings: Settings, queries: Path, qrels: Path) -> WeightCheck:
    with open_to_read(settings) as index:
        fusion = settings.fusion.settings()
        return check_weights(index.searcher, queries, qrels, fusion)


def _as_json(baselines: Baselines, judged: WeightCheck | None) -> CalibratedJson:
    return {
        "backgrounds": {
            subject: None if baseline is None else _baseline(baseline)
            for subject, baseline in baselines.items()
        },
        "weights": None if judged is None else _weights(judged),
    }


def _baseline(baseline: SimilarityBaseline) -> BaselineJson:
    return {
        "vectors": baseline.vectors,
        "deviation": round(baseline.deviation, 4),
        "tails": dict[str, float](baseline.tails.items()),
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


def _print(baselines: Baselines, judged: WeightCheck | None, settings: Settings) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("index", "vectors", "deviation", "tails"):
        table.add_column(column)
    for subject, baseline in baselines.items():
        table.add_row(subject, *_cells(baseline))
    console.print(table)
    if judged is not None:
        _print_weights(judged, _configured_weights(settings))


def _cells(baseline: SimilarityBaseline | None) -> tuple[str, str, str]:
    if baseline is None:
        return f"fewer than {LEAST}: too few to measure", "", ""
    tails = ", ".join(f"{query} {value:.2f}" for query, value in baseline.tails.items())
    return f"{baseline.vectors:,}", f"{baseline.deviation:.3f}", tails


def _configured_weights(settings: Settings) -> Mapping[str, float]:
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
