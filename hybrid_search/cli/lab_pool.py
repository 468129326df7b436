"""``hybrid-search lab pool``."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from hybrid_search.cli.experiments import experiment_indexes, queries_progress
from hybrid_search.cli.options import DataDir, ExperimentFile, Json
from hybrid_search.cli.progress import progress_bar
from hybrid_search.cli.read_only_index import open_to_read
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.engine.judgment_pools import Pools, check_name
from hybrid_search.relevance.experiment import read_experiment
from hybrid_search.relevance.pool_builder import pooled
from hybrid_search.settings.settings import load_settings


def command(
    file: ExperimentFile,
    depth: Annotated[
        int, typer.Option("--depth", min=1, max=200, help="Hits of each configuration to pool.")
    ] = 20,
    unjudged: Annotated[
        bool, typer.Option("--unjudged", help="Leave out what the experiment's judgments grade.")
    ] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Pool the hits of an experiment's configurations, to be judged on the page."""
    experiment, settings = read_experiment(file), load_settings(data_dir)
    # A name that cannot be used is refused before the work.
    check_name(file.stem)
    with open_to_read(settings) as index, progress_bar(quiet=json) as bar:
        found = pooled(
            experiment_indexes(index, experiment),
            experiment,
            file.parent,
            defaults=settings.fusion.settings(),
            depth=depth,
            unjudged=unjudged,
            progress=queries_progress(bar),
        )
    Pools(settings.data_dir).write(file.stem, found)
    count = sum(len(one.assets) for one in found)
    if json:
        print_json({"pool": file.stem, "queries": len(found), "assets": count})
    else:
        line = f"{count} ads of {len(found)} queries: judge them at /judge?pool={quote(file.stem)}"
        console.print(line, markup=False, soft_wrap=True)
