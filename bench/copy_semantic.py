"""Measure what text embeddings add: nDCG@10 by query type with and without ``copy_semantic``.

Each query is retrieved once; the lists are fused with plain RRF under a grid of weights.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from hybrid_search.core import FusionSettings, ListName, ListSettings
from hybrid_search.engine.factory import open_engine
from hybrid_search.ingest.manifests import read_assets
from hybrid_search.relevance.candidate_cache import Candidates, retrieve
from hybrid_search.relevance.evaluation import read_judgments, read_queries
from hybrid_search.relevance.measurement import Table, measure, places_by_type
from hybrid_search.settings.settings import load_settings

MEASURE = "nDCG@10"


def main() -> None:
    """Index the judged assets, unless they are indexed already, and print a table."""
    options = arguments()
    with tempfile.TemporaryDirectory() as aside:
        settings = load_settings(options.data_dir or Path(aside) / "data")
        with open_engine(settings, write=True) as engine:
            engine.writer().ingest(read_assets(options.judged / "assets.jsonl", 20 << 20))
            widest = at_windows(settings.fusion.settings(), max(options.windows))
            queries = list(read_queries(options.judged / "queries.jsonl", widest))
            grid = combinations(widest, options)
            judged = read_judgments(options.judged / "qrels.txt")
            found = [
                retrieve(engine.searcher, query, judged[query.qid])
                for query in queries
                if judged.get(query.qid)
            ]
            show(list(grid), found, measure(found, list(grid.values()), [MEASURE])[MEASURE])


def arguments() -> argparse.Namespace:
    """Parse the command line: the corpus, and the weights and windows to try."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("judged", type=Path, help="folder: assets.jsonl, queries.jsonl, qrels.txt")
    parser.add_argument("--data-dir", type=Path, help="keep the index there")
    parser.add_argument("--copy", type=float, nargs="+", default=[0.25, 0.5, 0.75, 1.0, 1.5])
    parser.add_argument("--pictures", type=float, nargs="+", default=[1.0])
    parser.add_argument("--windows", type=int, nargs="+", default=[100])
    parser.add_argument("--rank-constant", type=float, default=60.0)
    return parser.parse_args()


def at_windows(settings: FusionSettings, window: int) -> FusionSettings:
    """The settings with another window for ``copy_semantic``."""
    copy = replace(settings.lists["copy_semantic"], window=window)
    return replace(settings, lists={**settings.lists, "copy_semantic": copy})


def combinations(
    settings: FusionSettings, options: argparse.Namespace
) -> dict[str, FusionSettings]:
    """Settings for every weight of pictures, without and with each weight and window of texts."""
    tried = {}
    for pictures in options.pictures:
        lists = dict(settings.lists)
        lists["text_to_image"] = replace(lists["text_to_image"], weight=pictures)
        lists["lexical"] = replace(lists["lexical"], weight=1.0)
        without = dict(lists)
        del without["copy_semantic"]
        tried[f"pictures {pictures:g}"] = FusionSettings(options.rank_constant, without, "rrf")
        for window in options.windows:
            for weight in options.copy:
                with_copy: dict[ListName, ListSettings] = {
                    **lists,
                    "copy_semantic": ListSettings(window, weight),
                }
                name = f"pictures {pictures:g}, copy {weight:g} of {window}"
                tried[name] = FusionSettings(options.rank_constant, with_copy, "rrf")
    alone: dict[ListName, ListSettings] = {"copy_semantic": ListSettings(max(options.windows), 1.0)}
    return {**tried, "copy alone": FusionSettings(options.rank_constant, alone)}


def show(names: list[str], found: list[Candidates], table: Table) -> None:
    """Print a row for each combination, with a column for each query type."""
    types = {**places_by_type([one.test for one in found]), "all": list(range(len(found)))}
    width = max(map(len, names))
    print(" " * width, *(f"{kind:>9}" for kind in types))
    for name, values in zip(names, table, strict=True):
        print(f"{name:{width}}", *(f"{values[places].mean():9.3f}" for places in types.values()))


if __name__ == "__main__":
    main()
