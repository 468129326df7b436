"""Fit the probability of relevance by cosine for the embedded model, and measure matched sets.

    python bench/calibration.py FIT_FOLDER [FOLDER ...] [--indexes DIR]

A folder holds assets.jsonl, queries.jsonl and qrels.txt. The logistic regressions are fitted on the
judged candidates of the first folder. Then every folder's queries are searched with the shipped
calibration, and precision, recall and F1 of the matched set are printed by query type.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.optimize import minimize

from hybrid_search.core import ListName
from hybrid_search.core.similarity_baseline import script_of
from hybrid_search.core.similarity_calibration import GENERAL
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.ingest.manifests import read_assets
from hybrid_search.relevance.candidate_cache import Candidates, retrieve
from hybrid_search.relevance.evaluation import read_judgments, read_queries
from hybrid_search.search.matched_set import matched_rows
from hybrid_search.settings.settings import load_settings

Rows = NDArray[np.float64]
_RIDGE = 1e-3
console = Console(width=120)


def main() -> None:
    """Fit on the first folder, measure all."""
    options = arguments()
    for place, folder in enumerate(options.folders):
        with opened(folder, options.indexes) as index:
            queries = list(candidates(index, folder))
            if place == 0:
                show_fit(folder, index, queries)
            show_sets(folder, index, queries)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--indexes", type=Path, help="folder to keep indexes in")
    return parser.parse_args()


@contextmanager
def opened(folder: Path, kept: Path | None) -> Iterator[Index]:
    """The index of the folder's assets, ingested where it is missing."""
    with tempfile.TemporaryDirectory() as scratch:
        settings = load_settings((kept or Path(scratch)) / folder.resolve().name)
        with open_engine(settings, write=True) as index:
            index.writer().ingest(read_assets(folder / "assets.jsonl", 20 << 20))
            yield index


def candidates(index: Index, folder: Path) -> Iterator[Candidates]:
    judged = read_judgments(folder / "qrels.txt")
    tests = list(read_queries(folder / "queries.jsonl", index.settings.fusion.settings()))
    for test in track(tests, folder.name, console=console, transient=True):
        yield retrieve(index.searcher, test, judged.get(test.qid, {}))


def show_fit(folder: Path, index: Index, queries: list[Candidates]) -> None:
    table = Table("list", "intercept", "cosine", "deviations", "candidates", title=str(folder))
    for name in GENERAL:
        features, relevant = evidence(index, queries, name)
        table.add_row(name, *(f"{c:.3f}" for c in fitted(features, relevant)), str(len(relevant)))
    console.print(table)


def evidence(index: Index, queries: list[Candidates], name: ListName) -> tuple[Rows, Rows]:
    """Cosine and deviations ``(n, 2)`` of the judged candidates of a list, and their relevance."""
    view = index.searcher.view()
    baseline = view.statistics(lists=[name]).lists[name].baseline
    if baseline is None:
        raise SystemExit(f"{name}: no baseline; an index needs 50 vectors")
    features, relevant = [], []
    for one in queries:
        found = index.searcher.retrieve(one.test.query)
        plan = next((p for p in found.plan.lists if p.name == name), None)
        part = next((p for p in one.lists if p.name == name), None)
        if plan is None or plan.vector is None or part is None:
            continue
        kept = one.in_scope[part.rows]
        cosines = part.scores[kept]
        mean, deviation = baseline.against(plan.vector, script_of(found.parsed.meaning))
        features.append(np.column_stack([cosines, (cosines - mean) / max(deviation, 1e-5)]))
        relevant.append(one.grades[part.rows][kept] > 0)
    return np.concatenate(features), np.concatenate(relevant).astype(np.float64)


def fitted(features: Rows, relevant: Rows) -> Rows:
    """Intercept and coefficients of a logistic regression with a small ridge."""
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    rows = np.column_stack([np.ones(len(features)), (features - mean) / deviation])

    def loss(weights: Rows) -> float:
        odds = rows @ weights
        ridge = _RIDGE / 2 * float(weights[1:] @ weights[1:])
        return float(np.mean(np.logaddexp(0.0, odds) - relevant * odds)) + ridge

    found = minimize(loss, np.zeros(rows.shape[1]), method="BFGS").x
    slopes = found[1:] / deviation
    return np.array([found[0] - float(slopes @ mean), *slopes])


def show_sets(folder: Path, index: Index, queries: list[Candidates]) -> None:
    """Means over queries, types equal in the last line: relevant assets in scope are wanted."""
    lists = index.settings.fusion.settings().lists
    by_type: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for one in queries:
        matched = matched_rows(one.retrieved, lists) & one.in_scope
        by_type[one.test.type].append(measures(one, matched))
    table = Table(
        "type", "queries", "precision", "recall", "F1", "empty", "size", title=str(folder)
    )
    means = {kind: np.mean(values, axis=0) for kind, values in by_type.items()}
    for kind, mean in means.items():
        table.add_row(kind, str(len(by_type[kind])), *formatted(mean))
    table.add_row("types", str(len(queries)), *formatted(np.mean(list(means.values()), axis=0)))
    console.print(table)


def measures(one: Candidates, matched: NDArray[np.bool_]) -> tuple[float, ...]:
    """Precision, recall, F1, whether the set is empty, and its size."""
    hits = float((one.grades[matched] > 0).sum())
    size, wanted = float(matched.sum()), float(sum(grade > 0 for grade in one.judged))
    precision, recall = hits / max(size, 1.0), hits / max(wanted, 1.0)
    both = precision + recall
    return precision, recall, 2 * precision * recall / both if both else 0.0, size == 0.0, size


def formatted(mean: Rows) -> list[str]:
    return [*(f"{value:.2f}" for value in mean[:3]), f"{mean[3]:.0%}", f"{mean[4]:.1f}"]


if __name__ == "__main__":
    main()
