"""``hybrid-search model use``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_search.cli.model_report import report
from hybrid_search.cli.options import DataDir, Json, Qrels, Queries
from hybrid_search.cli.progress import embedding_bar
from hybrid_search.core.errors import InvalidInput
from hybrid_search.engine.generation import generation_measure
from hybrid_search.relevance.evaluation import evaluate, read_queries
from hybrid_search.search.searcher import Searcher
from hybrid_search.settings.settings import Settings, load_settings
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.embedded.rebuild import Gate, use_model


def command(
    name: Annotated[str, typer.Argument(help="A model as in embedding.model.")],
    pretrained: Annotated[
        str | None, typer.Option("--pretrained", help="Weights: an open_clip tag or a file.")
    ] = None,
    queries: Queries = None,
    qrels: Qrels = None,
    margin: Annotated[
        float, typer.Option("--margin", min=0, max=1, help="The nDCG@10 that may be lost.")
    ] = 0.01,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Embed everything with another model, then switch to it.

    A running service answers with the old model until then, and switches by itself. With judged
    queries, the new model is used only if its nDCG@10 is within the margin of the old one.
    """
    settings = load_settings(data_dir)
    gate = _gate(settings, queries, qrels, margin)
    with embedding_bar(quiet=json) as progress:
        done = use_model(settings, name, pretrained, gate, progress)
    report(done, json=json)


def _gate(
    settings: Settings, queries: Path | None, qrels: Path | None, margin: float
) -> Gate | None:
    if queries is None or qrels is None:
        if queries is not None or qrels is not None:
            raise InvalidInput("model use: --queries and --qrels go together")
        return None
    tests = list(read_queries(queries, settings.fusion.settings()))

    def measure(searcher: Searcher, catalog: SqliteCatalog) -> float:
        return evaluate(searcher, tests, qrels)["all"]["nDCG@10"]

    return Gate(generation_measure(measure), margin)
