"""Compare fusion methods on the same candidates over several corpora; print nDCG@10.

Each query of each corpus is retrieved once, and every method ranks the same candidates. Parameters
are chosen on other queries than those that are measured: by query, on four fifths of the same
corpus; by source, on all other corpora.

    pip install lightgbm
    python bench/fusion.py FOLDER [FOLDER ...] [--indexes DIR] [--types]

A folder holds assets.jsonl, queries.jsonl and qrels.txt.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from fusion_methods import METHODS, Case, Floats, Method, ndcg, plain
from rich.console import Console
from rich.progress import track
from rich.table import Table

from hybrid_search.core import AssetId
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.ingest.manifests import read_assets
from hybrid_search.relevance.evaluation import read_queries
from hybrid_search.search.fusion import fuse
from hybrid_search.settings.settings import load_settings

FOLDS = 5
console = Console(width=200)


def main() -> None:
    """Retrieve all queries, then compare the methods."""
    options = arguments()
    corpora = {folder.name: list(cases(folder, options)) for folder in options.folders}
    scored = {
        method.name: {name: scores(method, found) for name, found in corpora.items()}
        for method in METHODS
    }
    report = {
        "by query": {m.name: by_query(m, corpora, scored[m.name]) for m in METHODS},
        "by source": {m.name: by_source(m, corpora, scored[m.name]) for m in METHODS},
    }
    if options.json:
        print(json.dumps({**report, "cost_us": cost(corpora)}, indent=2))
        return
    for title, measured in report.items():
        show(title, measured, corpora)
    if options.types:
        for name, found in corpora.items():
            show_types(name, found)
    console.print(f"fusing one query with at least three lists: {cost(corpora):.0f} us CPU")


def arguments() -> argparse.Namespace:
    """Parse the command line: the corpora, and where to keep their indexes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--indexes", type=Path, help="folder to keep the indexes in")
    parser.add_argument("--types", action="store_true", help="also print a table by query type")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


# -------------------------------------------------------------------------------- candidates


def cases(folder: Path, options: argparse.Namespace) -> Iterator[Case]:
    """Yield the judged queries of the corpus with their candidates."""
    judged = judgments(folder / "qrels.txt")
    with opened(folder, options) as engine:
        fusion = engine.settings.fusion.settings()
        queries = list(read_queries(folder / "queries.jsonl", fusion))
        stored = engine.catalog.fetch(engine.catalog.newest(1_000_000))
        by_id = {asset.asset.id: ordinal for ordinal, asset in stored.items()}
        sources = {ordinal: asset.asset.source for ordinal, asset in stored.items()}
        for query in track(queries, folder.name):
            grades = {AssetId(i): g for i, g in judged.get(query.qid, {}).items()}
            relevant = {by_id[i]: g for i, g in grades.items() if i in by_id}
            if relevant:
                retrieval = engine.searcher.retrieve(query.query)
                yield Case.of(query, retrieval, relevant, sources)


@contextmanager
def opened(folder: Path, options: argparse.Namespace) -> Iterator[Index]:
    """Open the index of the corpus; build it if it does not exist."""
    with tempfile.TemporaryDirectory() as aside:
        root = options.indexes or Path(aside)
        with open_engine(load_settings(root / folder.name), write=True) as engine:
            engine.writer().ingest(read_assets(folder / "assets.jsonl", 20 << 20))
            yield engine


def judgments(path: Path) -> dict[str, dict[str, int]]:
    """Return grades by query and asset."""
    found: dict[str, dict[str, int]] = {}
    for line in path.read_text("utf-8").splitlines():
        qid, _, asset, grade = line.split()
        found.setdefault(qid, {})[asset] = int(grade)
    return found


# --------------------------------------------------------------------------------- measuring


Scored = dict[str, Floats]
"""nDCG of every case of a corpus, by parameter choice."""


def scores(method: Method, found: list[Case]) -> Scored:
    """Return the nDCG of every case for every parameter choice of the method."""
    return {
        name: np.array([ndcg(case, rank(case)) for case in found])
        for name, rank in track(
            method.choices.items(), method.name, disable=len(method.choices) < 2
        )
    }


def by_query(
    method: Method, corpora: dict[str, list[Case]], scored: dict[str, Scored]
) -> dict[str, float]:
    """Return the mean of five folds by corpus: parameters are chosen on four, measured on one."""
    return {n: float(held_out(method, found, scored[n]).mean()) for n, found in corpora.items()}


def held_out(method: Method, found: list[Case], scored: Scored) -> Floats:
    """Return the nDCG of each case under parameters that were chosen without it."""
    order, result = np.random.default_rng(0).permutation(len(found)), np.zeros(len(found))
    for start in range(FOLDS):
        part = order[start::FOLDS]
        rest = np.setdiff1d(order, part)
        if method.train is not None:
            rank = method.train([found[place] for place in rest])
            result[part] = [ndcg(found[place], rank(found[place])) for place in part]
        else:
            best = max(scored, key=lambda name: float(scored[name][rest].sum()))
            result[part] = scored[best][part]
    return result


def by_source(
    method: Method, corpora: dict[str, list[Case]], scored: dict[str, Scored]
) -> dict[str, float]:
    """Return the mean by corpus; parameters are chosen on the other corpora, equally weighted."""
    result = {}
    for name, found in corpora.items() if len(corpora) > 1 else ():
        others = [other for other in corpora if other != name]
        if method.train is not None:
            rank = method.train([case for other in others for case in corpora[other]])
            result[name] = float(np.mean([ndcg(case, rank(case)) for case in found]))
        else:
            best = max(
                method.choices,
                key=lambda choice: sum(float(scored[o][choice].mean()) for o in others),
            )
            result[name] = float(scored[name][best].mean())
    return result


def cost(corpora: dict[str, list[Case]]) -> float:
    """Return the CPU microseconds of one fusion, for queries with at least three lists."""
    every = [case for found in corpora.values() for case in found if len(case.lists) > 2]
    settings = load_settings(None).fusion.settings()
    started = time.thread_time()
    for case in every:
        fuse(case.rows, settings)
    return (time.thread_time() - started) / max(1, len(every)) * 1e6


# ----------------------------------------------------------------------------------- showing


def show(title: str, measured: dict[str, dict[str, float]], corpora: dict[str, list[Case]]) -> None:
    """Print a row for each method, with a column for each corpus and the mean."""
    if not any(measured.values()):
        return
    table = Table(title=f"nDCG@10, chosen {title}", box=None, header_style="bold")
    table.add_column("method")
    for name, found in corpora.items():
        table.add_column(f"{name}\n{len(found)}", justify="right")
    table.add_column("mean", justify="right")
    for method, by_corpus in measured.items():
        cells = [f"{by_corpus[name]:.3f}" for name in corpora]
        table.add_row(method, *cells, f"{np.mean(list(by_corpus.values())):.3f}")
    console.print(table)


def show_types(name: str, found: list[Case]) -> None:
    """Print a row for each method without parameters, with a column for each query type."""
    types = list(dict.fromkeys(case.type for case in found))
    table = Table(title=f"{name}, nDCG@10 by type", box=None, header_style="bold")
    for column in ("method", *types, "all"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for method in METHODS:
        if (rank := plain(method)) is not None:
            values = [ndcg(case, rank(case)) for case in found]
            table.add_row(method.name, *means(values, found, types), f"{np.mean(values):.3f}")
    console.print(table)


def means(values: Sequence[float], found: Sequence[Case], types: Sequence[str]) -> Iterator[str]:
    """Yield the mean of each query type."""
    for kind in types:
        inside = [s for s, case in zip(values, found, strict=True) if case.type == kind]
        yield f"{np.mean(inside):.3f}"


if __name__ == "__main__":
    main()
