"""Changing the model of an index while it serves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.rebuild import embedding_bar, print_rebuilt
from hybrid_search.cli.tables import console, print_json
from hybrid_search.core.errors import InvalidInput
from hybrid_search.engine.status import swapped_to_json
from hybrid_search.relevance.evaluation import evaluate, read_queries
from hybrid_search.search.searcher import Searcher
from hybrid_search.settings.settings import Settings, load_settings
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.rebuild import Gate, Swapped, roll_back, use_model

model_app = typer.Typer(help="Change the model of an index while it serves.", no_args_is_help=True)


@model_app.command()
def use(
    name: Annotated[str, typer.Argument(help="A model as in embedding.model.")],
    pretrained: Annotated[
        str | None, typer.Option("--pretrained", help="Weights: an open_clip tag or a file.")
    ] = None,
    queries: Annotated[
        Path | None, typer.Option("--queries", help="Queries that both models must answer, JSONL.")
    ] = None,
    qrels: Annotated[
        Path | None, typer.Option("--qrels", help="Judgments of the queries, TREC qrels.")
    ] = None,
    margin: Annotated[
        float, typer.Option("--margin", min=0, max=1, help="nDCG@10 that may be lost.")
    ] = 0.01,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Embed everything with another model, and let it serve when that is done.

    A running service answers with the old model until then, and turns to the new one by itself.
    With judged queries, the new model serves only if it answers them about as well.
    """
    settings = load_settings(data_dir)
    gate = _gate(settings, queries, qrels, margin)
    with embedding_bar(quiet=json) as progress:
        done = use_model(settings, name, pretrained, gate, progress)
    _report(done, json=json)


@model_app.command()
def rollback(data_dir: DataDir = None, json: Json = False) -> None:
    """Let the model serve that served before; once more, and the later one serves again."""
    with embedding_bar(quiet=json) as progress:
        done = roll_back(load_settings(data_dir), progress)
    _report(done, json=json)


def _gate(
    settings: Settings, queries: Path | None, qrels: Path | None, margin: float
) -> Gate | None:
    if queries is None or qrels is None:
        if queries is not None or qrels is not None:
            raise InvalidInput("model use: --queries and --qrels go together")
        return None
    tests = list(read_queries(queries, settings.fusion.settings()))

    def measure(searcher: Searcher, catalog: SqliteCatalog) -> float:
        return evaluate(searcher, catalog, tests, qrels)["all"]["nDCG@10"]

    return Gate(measure, margin)


def _report(done: Swapped, *, json: bool) -> None:
    if json:
        print_json(swapped_to_json(done))
    else:
        _print(done)
    if not done.published:
        sys.exit(4)


def _print(done: Swapped) -> None:
    if done.built:
        print_rebuilt(done.built)
    if done.judged is not None:
        console.print(f"nDCG@10 {done.judged.after:.3f}, before {done.judged.before:.3f}")
    if done.published:
        console.print(f"serves now: {done.model}\nbefore: {done.before}")
        console.print("to go back: hybrid-search model rollback", style="dim")
    else:
        console.print(f"not put to use: {done.model}; {done.before} goes on serving", style="red")
