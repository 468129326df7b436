"""``hybrid-search``: ingest, search, similar, eval, status, rebuild."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hybrid_search.assembly import Engine, open_engine, rebuild
from hybrid_search.cli.tables import console, errors, print_answer, print_json, print_measures
from hybrid_search.config import load_settings
from hybrid_search.errors import IndexUnusable, InvalidInput, SearchError, UnknownAsset
from hybrid_search.experiments.evaluation import evaluate, read_queries
from hybrid_search.ingest import IngestReport
from hybrid_search.manifests import estimate_rows, read_assets
from hybrid_search.records import AssetId, Example, Query
from hybrid_search.wire.answers import answer_to_json
from hybrid_search.wire.filters import filter_from_terms
from hybrid_search.wire.queries import Mode, restrict

app = typer.Typer(
    help="Find advertising assets by exact words, by meaning and by likeness.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder that holds the index.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Size = Annotated[int, typer.Option("--size", min=1, max=200, help="Hits to show.")]
Filters = Annotated[
    list[str] | None, typer.Option("--filter", help="field:value, field:10..20, field:abc*")
]
ModeOption = Annotated[Mode, typer.Option("--mode", help="Which lists answer.")]
Explain = Annotated[bool, typer.Option("--explain", help="Show each hit's rank in every list.")]


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Manifests (JSONL, CSV, Parquet), folders.")],
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Index assets; content that is indexed already is passed over."""
    settings = load_settings(data_dir)
    total = IngestReport()
    with open_engine(settings, write=True) as engine:
        for path in paths:
            _add(total, _ingest_path(engine, path, quiet=json))
    if json:
        print_json(_report(total))
        return
    console.print(
        f"{total.indexed} indexed, {total.updated} updated, {total.unchanged} unchanged,"
        f" {len(total.skipped)} skipped"
    )
    for skipped in total.skipped[:20]:
        console.print(f"  skipped {skipped.id}: {skipped.reason}", markup=False)
    if len(total.skipped) > 20:
        console.print(f"  and {len(total.skipped) - 20} more; --json lists all")


@app.command()
def search(
    q: Annotated[str, typer.Argument(help='Words and "quoted phrases".')] = "",
    image: Annotated[Path | None, typer.Option("--image", help="A picture to be like.")] = None,
    filters: Filters = None,
    size: Size = 10,
    mode: ModeOption = "hybrid",
    explain: Explain = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Find assets by words, by a picture, or by both."""
    examples = () if image is None else (Example(picture=_read(image)),)
    _answer(q, examples, filters, size, mode, explain, data_dir, json)


@app.command()
def similar(
    id: Annotated[str, typer.Argument(help="An asset's id, or a picture file.")],  # noqa: A002  the users' word
    filters: Filters = None,
    size: Size = 10,
    explain: Explain = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Find assets that look like one that is indexed, or like a picture file."""
    path = Path(id)
    example = Example(picture=_read(path)) if path.is_file() else Example(id=AssetId(id))
    _answer("", (example,), filters, size, "hybrid", explain, data_dir, json)


@app.command("eval")
def evaluation(
    queries: Annotated[Path, typer.Option("--queries", help="Queries, JSONL.")],
    qrels: Annotated[Path, typer.Option("--qrels", help="Judgments, TREC qrels.")],
    mode: ModeOption = "hybrid",
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Measure how well judged queries are answered."""
    settings = load_settings(data_dir)
    with open_engine(settings) as engine, _progress(quiet=json) as bar:
        tests = list(read_queries(queries, restrict(settings.fusion.settings(), mode)))
        task = bar.add_task("queries", total=len(tests))
        types = evaluate(engine.searcher, engine.catalog, tests, qrels, lambda: bar.advance(task))
    if json:
        by_type = {kind: values for kind, values in types.items() if kind != "all"}
        print_json({"mode": mode, "types": by_type, "all": types["all"]})
    else:
        print_measures(types, mode)


@app.command()
def status(data_dir: DataDir = None, json: Json = False) -> None:
    """Show what is indexed, and how."""
    with open_engine(load_settings(data_dir)) as engine:
        facts = _status(engine)
    if json:
        print_json(facts)
        return
    for name, value in facts.items():
        console.print(f"{name:>18}  {value}", markup=False)


@app.command("rebuild")
def rebuild_index(data_dir: DataDir = None) -> None:
    """Build the index anew from the catalog, with the configured analyser and model."""
    with _progress(quiet=False) as bar:
        task = bar.add_task("pictures", total=None)
        rebuild(
            load_settings(data_dir),
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    console.print("rebuilt")


def run() -> None:
    """Run the command line; errors are one line and an exit code, never a traceback."""
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


def _answer(
    q: str,
    examples: tuple[Example, ...],
    filters: list[str] | None,
    size: int,
    mode: Mode,
    explain: bool,
    data_dir: Path | None,
    json: bool,
) -> None:
    settings = load_settings(data_dir)
    where = filter_from_terms(filters or [])
    fusion = restrict(settings.fusion.settings(), mode)
    query = Query(q, examples, where, size=size, fusion=fusion, explain=explain)
    with open_engine(settings) as engine:
        answer = engine.searcher.search(query)
    if json:
        print_json(answer_to_json(answer))
    else:
        print_answer(answer, explain=explain)


def _ingest_path(engine: Engine, path: Path, *, quiet: bool) -> IngestReport:
    rows = read_assets(path, engine.settings.pictures.max_bytes)
    if engine.indexer is None:
        raise IndexUnusable("the engine was opened for reading")
    with _progress(quiet=quiet) as bar:
        task = bar.add_task(path.name, total=estimate_rows(path))
        return engine.indexer.ingest(rows, lambda report: bar.update(task, completed=report.total))


def _add(total: IngestReport, part: IngestReport) -> None:
    total.indexed += part.indexed
    total.unchanged += part.unchanged
    total.updated += part.updated
    total.skipped += part.skipped


def _report(report: IngestReport) -> dict[str, object]:
    return {
        "indexed": report.indexed,
        "unchanged": report.unchanged,
        "updated": report.updated,
        "skipped": [{"id": part.id, "reason": part.reason} for part in report.skipped],
    }


def _status(engine: Engine) -> dict[str, object]:
    vectors = engine.vectors.describe()
    return {
        "data_dir": str(engine.settings.data_dir),
        "assets": engine.catalog.count(),
        "sequence": engine.catalog.last_sequence(),
        "lexical_documents": engine.lexical.count(),
        "lexical_watermark": engine.lexical.watermark,
        "analyzer": engine.lexical.fingerprint,
        "model": engine.model,
        "vectors": engine.vectors.count(),
        "vector_index": vectors.kind,
        "vector_parameters": dict(vectors.parameters),
        "vector_bytes": vectors.bytes,
    }


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as failure:
        raise InvalidInput(f"image: {path} cannot be read, {failure.strerror}") from None


def _progress(*, quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeRemainingColumn(), console=errors, disable=quiet)


if __name__ == "__main__":
    run()
