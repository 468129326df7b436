"""``hybrid-search lab``: experiments with the relevance of answers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from hybrid_search.assembly import open_engine
from hybrid_search.cli.feedback import forget_searches, judge_by_clicks, show_interleaving
from hybrid_search.cli.judging import export_judgments, import_judgments, show_agreement
from hybrid_search.cli.tables import console, print_json, progress_bar
from hybrid_search.config import load_settings
from hybrid_search.experiments.relevance.checking import Missed, misses
from hybrid_search.experiments.relevance.experiment import Experiment, read_experiment
from hybrid_search.experiments.relevance.report import as_json, as_settings, write_report
from hybrid_search.experiments.relevance.running import Results, run_experiment

lab_app = typer.Typer(help="Experiments with the relevance of answers.", no_args_is_help=True)

_File = Annotated[Path, typer.Argument(help="An experiment, TOML.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder that holds the index.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


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
    results = _results(file, data_dir, quiet=json)
    folder = out or file.parent / f"{file.stem}-results"
    write_report(results, folder)
    if json:
        print_json({**as_json(results), "report": str(folder / "report.html")})
    else:
        _print_results(results)
        console.print(f"report: {folder / 'report.html'}", style="dim", soft_wrap=True)


@lab_app.command("check")
def check(file: _File, data_dir: DataDir = None, json: Json = False) -> None:
    """Compare today's measures with those that the file expects; end with 1 when any is below."""
    results = _results(file, data_dir, quiet=json)
    missed = misses(results)
    if json:
        print_json({"passed": not missed, "missed": [one.as_json() for one in missed]})
    else:
        _print_misses(results.experiment, missed)
    if missed:
        sys.exit(1)


def _results(file: Path, data_dir: Path | None, *, quiet: bool) -> Results:
    experiment, settings = read_experiment(file), load_settings(data_dir)
    with open_engine(settings) as engine, progress_bar(quiet=quiet) as bar:
        task = bar.add_task("queries", total=None)
        return run_experiment(
            engine.searcher,
            engine.catalog,
            experiment,
            file.parent,
            defaults=settings.fusion.settings(),
            progress=lambda: bar.advance(task),
        )


def _print_results(results: Results) -> None:
    measures = results.experiment.measures
    table = Table("configuration", *measures, "difference", "p", box=None)
    for one in results.compared:
        means = [f"{one.means[measure]:.3f}" for measure in measures]
        told = one.difference
        difference = "" if told is None else f"{told.mean:+.4f} ({told.low:+.4f}, {told.high:+.4f})"
        table.add_row(one.name, *means, difference, "" if told is None else f"{one.corrected:.4f}")
    console.print(table)
    if (tuned := results.tuned) is not None:
        told = tuned.difference
        console.print(
            f"tuned, on the other half: {tuned.mean:.4f} against {tuned.base_mean:.4f},"
            f" {told.mean:+.4f} ({told.low:+.4f}, {told.high:+.4f})"
        )
        console.print(tuned.advice, style="bold")
        if tuned.difference.low > 0.0:
            console.print(as_settings(tuned.settings), markup=False)


def _print_misses(experiment: Experiment, missed: list[Missed]) -> None:
    for one in missed:
        console.print(
            f"{one.configuration}: {one.measure} {one.value:.4f}, expected {one.expected:.4f}"
            f" with a tolerance of {one.tolerance:g}",
            style="red",
        )
    count = sum(map(len, experiment.expected.values()))
    console.print(f"{count - len(missed)} of {count} measures are as expected")
