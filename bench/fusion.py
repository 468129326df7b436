"""Ways to make one list of several, on the same candidates: which is better, and where it holds.

Each query of each corpus is retrieved once; every way ranks the same candidates. What a way has to
choose is chosen on other queries than it is measured on: by query, on four fifths of the same
corpus; by source, on all other corpora. Prints nDCG@10.

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
from fusion_ways import WAYS, Case, Floats, Way, ndcg, plain
from rich.console import Console
from rich.progress import track
from rich.table import Table

from hybrid_search.core import AssetId
from hybrid_search.engine.engine import Engine
from hybrid_search.engine.factory import open_engine
from hybrid_search.ingest.manifests import read_assets
from hybrid_search.relevance.evaluation import read_queries
from hybrid_search.search.fusion import fuse
from hybrid_search.settings.settings import load_settings

FOLDS = 5
console = Console(width=200)


def main() -> None:
    """Retrieve everything, then compare."""
    options = arguments()
    corpora = {folder.name: list(cases(folder, options)) for folder in options.folders}
    scored = {
        way.name: {name: scores(way, found) for name, found in corpora.items()} for way in WAYS
    }
    report = {
        "by query": {w.name: by_query(w, corpora, scored[w.name]) for w in WAYS},
        "by source": {w.name: by_source(w, corpora, scored[w.name]) for w in WAYS},
    }
    if options.json:
        print(json.dumps({**report, "cost_us": cost(corpora)}, indent=2))
        return
    for title, measured in report.items():
        show(title, measured, corpora)
    if options.types:
        for name, found in corpora.items():
            show_types(name, found)
    console.print(f"fusion of a query with three lists or more: {cost(corpora):.0f} us CPU")


def arguments() -> argparse.Namespace:
    """Which corpora, and where their indexes are kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--indexes", type=Path, help="keep the indexes there")
    parser.add_argument("--types", action="store_true", help="a table by type of query as well")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


# -------------------------------------------------------------------------------- candidates


def cases(folder: Path, options: argparse.Namespace) -> Iterator[Case]:
    """The corpus's judged queries with their candidates."""
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
                retrieved = engine.searcher.retrieve(query.query)
                held = engine.searcher.phrases_held(retrieved)
                yield Case.of(query, retrieved, held, relevant, sources)


@contextmanager
def opened(folder: Path, options: argparse.Namespace) -> Iterator[Engine]:
    """The corpus's index, made unless it is there."""
    with tempfile.TemporaryDirectory() as aside:
        root = options.indexes or Path(aside)
        with open_engine(load_settings(root / folder.name), write=True) as engine:
            engine.writer().ingest(read_assets(folder / "assets.jsonl", 20 << 20))
            yield engine


def judgments(path: Path) -> dict[str, dict[str, int]]:
    """Grades by query and asset."""
    found: dict[str, dict[str, int]] = {}
    for line in path.read_text("utf-8").splitlines():
        qid, _, asset, grade = line.split()
        found.setdefault(qid, {})[asset] = int(grade)
    return found


# --------------------------------------------------------------------------------- measuring


Scored = dict[str, Floats]
"""nDCG of every case of a corpus, by what was tried."""


def scores(way: Way, found: list[Case]) -> Scored:
    """Of everything that the way may be."""
    return {
        name: np.array([ndcg(case, rank(case)) for case in found])
        for name, rank in track(way.tried.items(), way.name, disable=len(way.tried) < 2)
    }


def by_query(
    way: Way, corpora: dict[str, list[Case]], scored: dict[str, Scored]
) -> dict[str, float]:
    """For each corpus, what is measured on a fifth of it and chosen on the rest, five times."""
    return {n: float(held_out(way, found, scored[n]).mean()) for n, found in corpora.items()}


def held_out(way: Way, found: list[Case], scored: Scored) -> Floats:
    """The nDCG of each case under what was chosen without it."""
    order, result = np.random.default_rng(0).permutation(len(found)), np.zeros(len(found))
    for start in range(FOLDS):
        part = order[start::FOLDS]
        rest = np.setdiff1d(order, part)
        if way.learnt is not None:
            rank = way.learnt([found[place] for place in rest])
            result[part] = [ndcg(found[place], rank(found[place])) for place in part]
        else:
            best = max(scored, key=lambda name: float(scored[name][rest].sum()))
            result[part] = scored[best][part]
    return result


def by_source(
    way: Way, corpora: dict[str, list[Case]], scored: dict[str, Scored]
) -> dict[str, float]:
    """For each corpus, what is measured on it and chosen on all others, each counting alike."""
    result = {}
    for name, found in corpora.items() if len(corpora) > 1 else ():
        others = [other for other in corpora if other != name]
        if way.learnt is not None:
            rank = way.learnt([case for other in others for case in corpora[other]])
            result[name] = float(np.mean([ndcg(case, rank(case)) for case in found]))
        else:
            best = max(
                way.tried, key=lambda tried: sum(float(scored[o][tried].mean()) for o in others)
            )
            result[name] = float(scored[name][best].mean())
    return result


def cost(corpora: dict[str, list[Case]]) -> float:
    """CPU microseconds of the fusion itself, for queries with three lists or more."""
    every = [case for found in corpora.values() for case in found if len(case.lists) > 2]
    settings = load_settings(None).fusion.settings()
    started = time.thread_time()
    for case in every:
        fuse(case.lists, settings, None, case.outside)
    return (time.thread_time() - started) / max(1, len(every)) * 1e6


# ----------------------------------------------------------------------------------- showing


def show(title: str, measured: dict[str, dict[str, float]], corpora: dict[str, list[Case]]) -> None:
    """A row a way, a column a corpus, and the mean over corpora."""
    if not any(measured.values()):
        return
    table = Table(title=f"nDCG@10, chosen {title}", box=None, header_style="bold")
    table.add_column("way")
    for name, found in corpora.items():
        table.add_column(f"{name}\n{len(found)}", justify="right")
    table.add_column("mean", justify="right")
    for way, by_corpus in measured.items():
        cells = [f"{by_corpus[name]:.3f}" for name in corpora]
        table.add_row(way, *cells, f"{np.mean(list(by_corpus.values())):.3f}")
    console.print(table)


def show_types(name: str, found: list[Case]) -> None:
    """A row a way without anything to choose, a column a type of query."""
    types = list(dict.fromkeys(case.type for case in found))
    table = Table(title=f"{name}, nDCG@10 by type", box=None, header_style="bold")
    for column in ("way", *types, "all"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for way in WAYS:
        if (rank := plain(way)) is not None:
            values = [ndcg(case, rank(case)) for case in found]
            table.add_row(way.name, *means(values, found, types), f"{np.mean(values):.3f}")
    console.print(table)


def means(values: Sequence[float], found: Sequence[Case], types: Sequence[str]) -> Iterator[str]:
    """The mean of each type."""
    for kind in types:
        inside = [s for s, case in zip(values, found, strict=True) if case.type == kind]
        yield f"{np.mean(inside):.3f}"


if __name__ == "__main__":
    main()
