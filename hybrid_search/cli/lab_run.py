"""``hybrid-search lab``: experiments with the relevance of answers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer
from rich.progress import Progress
from rich.table import Table

from hybrid_search.cli.lab_clicks import forget_searches, judge_by_clicks, show_interleaving
from hybrid_search.cli.lab_judgments import export_judgments, import_judgments, show_agreement
from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.tables import console, print_json, progress_bar
from hybrid_search.core import AssetId
from hybrid_search.engine.engine import Engine
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.judgment_pools import Pools, check_name
from hybrid_search.engine.variants import openings
from hybrid_search.relevance.expectations import Missed, misses
from hybrid_search.relevance.experiment import Experiment, read_experiment
from hybrid_search.relevance.pool_builder import pooled
from hybrid_search.relevance.report.settings_snippet import as_settings
from hybrid_search.relevance.report.writer import as_json, write_report
from hybrid_search.relevance.retrieval_runs import Opening
from hybrid_search.relevance.runner import Results, run_experiment
from hybrid_search.relevance.statistics import spread
from hybrid_search.settings.settings import load_settings

lab_app = typer.Typer(help="Experiments with the relevance of answers.", no_args_is_help=True)

_File = Annotated[Path, typer.Argument(help="An experiment, TOML.")]


@lab_app.callback()
def lab() -> None:
    """Experiments with the relevance of answers."""


lab_app.command("export")(export_judgments)
lab_app.command("import")(import_judgments)
lab_app.command("agreement")(show_agreement)
lab_app.command("clicks")(judge_by_clicks)
lab_app.command("interleaving")(show_interleaving)
lab_app.command("forget")(forget_searches)


@lab_app.command("run")
def run(
    file: _File,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of the report; by default beside FILE."),
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Compare configurations and try settings over judged queries; write a report."""
    folder = out or file.parent / f"{file.stem}-results"
    with _ran(file, data_dir, quiet=json) as (results, engine):
        write_report(results, folder, lambda name: _thumbnail(engine, name))
    if json:
        print_json({**as_json(results), "report": str(folder / "report.html")})
    else:
        _print_results(results)
        console.print(f"report: {folder / 'report.html'}", style="dim", soft_wrap=True)


@lab_app.command("check")
def check(file: _File, data_dir: DataDir = None, json: Json = False) -> None:
    """Compare today's measures with those that the file expects; end with 1 when any is below."""
    with _ran(file, data_dir, quiet=json) as (results, _):
        missed = misses(results)
    if json:
        print_json({"passed": not missed, "missed": [one.as_json() for one in missed]})
    else:
        _print_misses(results.experiment, missed)
    if missed:
        sys.exit(1)


@contextmanager
def _ran(file: Path, data_dir: Path | None, *, quiet: bool) -> Iterator[tuple[Results, Engine]]:
    """The results, while the engine is open that they were found with."""
    experiment, settings = read_experiment(file), load_settings(data_dir)
    with open_engine(settings) as engine:
        with progress_bar(quiet=quiet) as bar:
            results = run_experiment(
                _opening(engine, experiment),
                engine.catalog,
                experiment,
                file.parent,
                defaults=settings.fusion.settings(),
                progress=_progress(bar),
            )
        yield results, engine


@lab_app.command("pool")
def pool(
    file: _File,
    depth: Annotated[
        int, typer.Option("--depth", min=1, max=200, help="First hits of each configuration.")
    ] = 20,
    unjudged: Annotated[
        bool, typer.Option("--unjudged", help="Without what the experiment's judgments grade.")
    ] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Pool what an experiment's configurations find, to be judged on the page."""
    experiment, settings = read_experiment(file), load_settings(data_dir)
    # Before the work, not after it.
    check_name(file.stem)
    with open_engine(settings) as engine, progress_bar(quiet=json) as bar:
        found = pooled(
            _opening(engine, experiment),
            engine.catalog,
            experiment,
            file.parent,
            defaults=settings.fusion.settings(),
            depth=depth,
            unjudged=unjudged,
            progress=_progress(bar),
        )
    Pools(settings.data_dir).write(file.stem, found)
    count = sum(len(one.assets) for one in found)
    if json:
        print_json({"pool": file.stem, "queries": len(found), "assets": count})
    else:
        told = f"{count} ads of {len(found)} queries: judge them at /judge?pool={quote(file.stem)}"
        console.print(told, markup=False, soft_wrap=True)


def _opening(engine: Engine, experiment: Experiment) -> Opening:
    return openings(engine, {one.name: one.changes() for one in experiment.indexes})


def _progress(bar: Progress) -> Callable[[int, int], None]:
    """What moves a bar of the queries that were asked."""
    task = bar.add_task("queries", total=None)
    return lambda done, whole: bar.update(task, completed=done, total=whole)


def _thumbnail(engine: Engine, name: str) -> bytes | None:
    """The picture of that ad, small."""
    stored = engine.catalog.find(AssetId(name))
    if stored is None or stored.picture is None:
        return None
    return engine.pictures.thumbnail(stored.picture.digest, engine.settings.pictures.thumbnail)


def _print_results(results: Results) -> None:
    measures = results.experiment.measures
    table = Table("configuration", *measures, "difference", "p", box=None)
    for one in results.compared:
        means = [f"{one.means[measure]:.3f}" for measure in measures]
        told = one.difference
        difference = "" if told is None else spread(told)
        table.add_row(one.name, *means, difference, "" if told is None else f"{one.corrected:.4f}")
    console.print(table)
    if results.indexes:
        _print_indexes(results)
    if (tuned := results.tuned) is not None:
        console.print(
            f"tuned, on the other half: {tuned.mean:.4f} against {tuned.base_mean:.4f},"
            f" {spread(tuned.difference)}"
        )
        console.print(tuned.advice, style="bold")
        if tuned.difference.low > 0.0:
            console.print(as_settings(results, tuned), markup=False)


def _print_indexes(results: Results) -> None:
    measures = results.experiment.measures
    table = Table("index", *measures, "ms", "p95", "CPU ms", box=None)
    for one in results.indexes:
        means = [f"{one.means[measure]:.3f}" for measure in measures]
        cost = (f"{one.cost.wall:.2f}", f"{one.cost.wall_p95:.2f}", f"{one.cost.cpu:.2f}")
        table.add_row(one.name, *means, *cost)
    console.print(table)


def _print_misses(experiment: Experiment, missed: list[Missed]) -> None:
    for one in missed:
        console.print(
            f"{one.configuration}: {one.measure} {one.value:.4f}, expected {one.expected:.4f}"
            f" with a tolerance of {one.tolerance:g}",
            style="red",
        )
    count = sum(map(len, experiment.expected.values()))
    console.print(f"{count - len(missed)} of {count} measures are as expected")
