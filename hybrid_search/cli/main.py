"""``hybrid-search``: one command for each public use."""

from __future__ import annotations

import logging
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from hybrid_search.api.schemas.queries import restrict
from hybrid_search.cli.analyze import show_analysis, show_cases
from hybrid_search.cli.calibrate import calibrate_index
from hybrid_search.cli.demo import show_demo
from hybrid_search.cli.index_lab import index_app
from hybrid_search.cli.ingest import ingest_paths
from hybrid_search.cli.keys import keys_app
from hybrid_search.cli.lab_run import lab_app
from hybrid_search.cli.model import model_app
from hybrid_search.cli.models import show_models
from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.rebuild import print_rebuilt, rebuild_parts
from hybrid_search.cli.search import (
    FusionOption,
    ModeOption,
    search,
    similar,
    suggest,
)
from hybrid_search.cli.serve import serve_folder
from hybrid_search.cli.show import explain_asset, show_asset
from hybrid_search.cli.storage import (
    repair_folder,
    restore_snapshot,
    take_snapshot,
    verify_folder,
)
from hybrid_search.cli.tables import (
    errors,
    print_json,
    print_measures,
    print_report,
    print_status,
    progress_bar,
)
from hybrid_search.core.errors import IndexUnusable, InvalidInput, SearchError, UnknownAsset
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.status import engine_status, rebuilt_to_json
from hybrid_search.relevance.evaluation import evaluate, read_queries
from hybrid_search.settings.settings import load_settings, with_vectors

app = typer.Typer(
    help="Find advertising assets by exact words, by meaning and by likeness.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(index_app, name="index")
app.add_typer(lab_app, name="lab")
app.add_typer(model_app, name="model")
app.add_typer(keys_app, name="keys")
app.command("search")(search)
app.command("similar")(similar)
app.command("suggest")(suggest)
app.command("calibrate")(calibrate_index)
app.command("explain")(explain_asset)
app.command("show")(show_asset)
app.command("verify")(verify_folder)
app.command("repair")(repair_folder)
app.command("snapshot")(take_snapshot)
app.command("restore")(restore_snapshot)


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Manifests (JSONL, CSV, Parquet), folders.")],
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Index assets; content that is indexed already is passed over."""
    total = ingest_paths(load_settings(data_dir), paths, quiet=json)
    if json:
        print_json(total.as_json())
    else:
        print_report(total)


@app.command("eval")
def evaluation(
    queries: Annotated[Path, typer.Option("--queries", help="Queries, JSONL.")],
    qrels: Annotated[Path, typer.Option("--qrels", help="Judgments, TREC qrels.")],
    mode: ModeOption = "hybrid",
    fusion: FusionOption = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Measure how well judged queries are answered."""
    settings = load_settings(data_dir)
    lists = restrict(settings.fusion.settings(), mode)
    with open_engine(settings) as engine, progress_bar(quiet=json) as bar:
        tests = list(read_queries(queries, replace(lists, method=fusion or lists.method)))
        task = bar.add_task("queries", total=len(tests))
        types = evaluate(engine.searcher, engine.catalog, tests, qrels, lambda: bar.advance(task))
    if json:
        by_type = {kind: values for kind, values in types.items() if kind != "all"}
        print_json({"mode": mode, "types": by_type, "all": types["all"]})
    else:
        print_measures(types, mode)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Leave writing to another process.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=64, help="Processes; one of them writes.")
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Serve the API and the search page until stopped."""
    given = {"host": host, "port": port, "workers": workers}
    serve_folder(load_settings(data_dir), given, read_only=read_only, json=json)


@app.command()
def demo(
    no_serve: Annotated[bool, typer.Option("--no-serve", help="End after the searches.")] = False,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Index the adverts that come with the program, search them, measure, and serve."""
    settings = load_settings(data_dir or Path("hybrid-search-demo"))
    show_demo(settings, json=json)
    if not no_serve:
        serve_folder(settings, {"port": port}, read_only=False, json=json)


@app.command()
def status(data_dir: DataDir = None, json: Json = False) -> None:
    """Show what is indexed, and how."""
    with open_engine(load_settings(data_dir)) as engine:
        facts = engine_status(engine)
    if json:
        print_json(facts)
    else:
        print_status(facts)


@app.command()
def models(data_dir: DataDir = None, json: Json = False) -> None:
    """Show embedding models worth choosing: what for, how large, how fast, and which are here."""
    show_models(load_settings(data_dir), json=json)


@app.command()
def analyze(
    text: Annotated[str | None, typer.Argument(help="A text to see the terms of.")] = None,
    cases: Annotated[
        Path | None, typer.Option("--cases", help="Matching cases to run instead, JSONL.")
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show what the analyser makes of a text, or run a list of matching cases."""
    settings = load_settings(data_dir)
    if (text is None) == (cases is None):
        raise InvalidInput("analyze: takes either a text or --cases FILE")
    if text is not None:
        show_analysis(settings, text, json=json)
    elif cases is not None and not show_cases(settings, cases, json=json):
        sys.exit(1)


@app.command("rebuild")
def rebuild_index(
    vectors: Annotated[
        bool,
        typer.Option("--vectors", help="Only the vector index; a running service takes it over."),
    ] = False,
    kind: Annotated[
        str | None, typer.Option("--kind", help="Only the vector index, as this kind.")
    ] = None,
    storage: Annotated[
        str | None, typer.Option("--storage", help="Only the vector index, kept so: f32, bf16, sq8")
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Build the index anew from the catalog, with the configured analyser, model and kind."""
    settings = with_vectors(load_settings(data_dir), kind, storage)
    built = rebuild_parts(settings, only_vectors=vectors or bool(kind or storage), quiet=json)
    if json:
        print_json(rebuilt_to_json(built))
    else:
        print_rebuilt(built)
    if not all(part.published for part in built.values()):
        sys.exit(4)


def run() -> None:
    """Run the command line; errors are one line and an exit code, never a traceback."""
    # A damaged picture is reported with its row; what the decoder says on the way is noise.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    try:
        app()
    except SearchError as failure:
        errors.print(f"error: {failure}", style="red", markup=False)
        sys.exit(_exit_code(failure))


def _exit_code(failure: SearchError) -> int:
    for branch, code in ((InvalidInput, 2), (UnknownAsset, 1), (IndexUnusable, 3)):
        if isinstance(failure, branch):
            return code
    return 4


if __name__ == "__main__":
    run()
