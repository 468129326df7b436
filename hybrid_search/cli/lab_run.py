"""``hybrid-search lab run``."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from hybrid_search.cli.experiments import experiment_results
from hybrid_search.cli.options import DataDir, ExperimentFile, Json
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.core.errors import UnknownAsset
from hybrid_search.engine.index import Index
from hybrid_search.relevance.report.settings_snippet import as_settings
from hybrid_search.relevance.report.writer import as_json, write_report
from hybrid_search.relevance.runner import Results
from hybrid_search.relevance.statistics import spread


def command(
    file: ExperimentFile,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of the report; FILE-results beside it by default."),
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Compare configurations over judged queries and write a report.

    Settings are tuned where the experiment asks for it.
    """
    folder = out or file.parent / f"{file.stem}-results"
    with experiment_results(file, data_dir, quiet=json) as (results, index):
        write_report(results, folder, lambda name: _thumbnail(index, name))
    if json:
        print_json({**as_json(results), "report": str(folder / "report.html")})
    else:
        _print(results)
        console.print(f"report: {folder / 'report.html'}", style="dim", soft_wrap=True)


def _thumbnail(index: Index, name: str) -> bytes | None:
    """The thumbnail of the asset's picture, if it has one."""
    with suppress(UnknownAsset):
        return index.thumbnail(index.find(name))
    return None


def _print(results: Results) -> None:
    measures = results.experiment.measures
    table = Table("configuration", *measures, "difference", "p", box=None)
    for one in results.compared:
        means = [f"{one.means[measure]:.3f}" for measure in measures]
        difference = "" if one.difference is None else spread(one.difference)
        p = "" if one.difference is None else f"{one.corrected:.4f}"
        table.add_row(one.name, *means, difference, p)
    console.print(table)
    if results.indexes:
        _print_indexes(results)
    if (tuned := results.tuned) is not None:
        console.print(
            f"tuned, on the held-out half: {tuned.mean:.4f} against {tuned.base_mean:.4f},"
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
