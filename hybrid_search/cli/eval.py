"""``hybrid-search eval``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from hybrid_search.cli.measures_table import print_measures
from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.progress import progress_bar
from hybrid_search.cli.read_only_index import open_to_read
from hybrid_search.cli.search_options import FusionOption, ModeOption
from hybrid_search.cli.terminal import print_json
from hybrid_search.core import restrict
from hybrid_search.relevance.evaluation import evaluate, read_queries
from hybrid_search.settings.settings import load_settings


def command(
    queries: Annotated[Path, typer.Option("--queries", help="Queries, JSONL.")],
    qrels: Annotated[Path, typer.Option("--qrels", help="Judgments, TREC qrels.")],
    mode: ModeOption = "hybrid",
    fusion: FusionOption = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Measure search quality over judged queries."""
    settings = load_settings(data_dir)
    lists = restrict(settings.fusion.settings(), mode)
    with open_to_read(settings) as index, progress_bar(quiet=json) as bar:
        tests = list(read_queries(queries, replace(lists, method=fusion or lists.method)))
        task = bar.add_task("queries", total=len(tests))
        types = evaluate(index.searcher, tests, qrels, lambda: bar.advance(task))
    if json:
        by_type = {kind: values for kind, values in types.items() if kind != "all"}
        print_json({"mode": mode, "types": by_type, "all": types["all"]})
    else:
        print_measures(types, mode)
