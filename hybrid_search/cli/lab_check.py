"""``hybrid-search lab check``."""

from __future__ import annotations

import sys

from hybrid_search.cli.experiments import experiment_results
from hybrid_search.cli.options import DataDir, ExperimentFile, Json
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.relevance.expectations import Missed, misses
from hybrid_search.relevance.experiment import Experiment


def command(file: ExperimentFile, data_dir: DataDir = None, json: Json = False) -> None:
    """Compare measures with the values that the experiment expects.

    Exits with 1 when any measure is below its expected value.
    """
    with experiment_results(file, data_dir, quiet=json) as (results, _):
        missed = misses(results)
    if json:
        print_json({"passed": not missed, "missed": [one.as_json() for one in missed]})
    else:
        _print(results.experiment, missed)
    if missed:
        sys.exit(1)


def _print(experiment: Experiment, missed: list[Missed]) -> None:
    for one in missed:
        console.print(
            f"{one.configuration}: {one.measure} {one.value:.4f}, expected {one.expected:.4f}"
            f" with a tolerance of {one.tolerance:g}",
            style="red",
        )
    count = sum(map(len, experiment.expected.values()))
    console.print(f"{count - len(missed)} of {count} measures are as expected")
