"""Experiments run from the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import Progress

from hybrid_search.cli.progress import progress_bar
from hybrid_search.cli.read_only_index import open_to_read
from hybrid_search.engine.index import Index
from hybrid_search.engine.variants import openings
from hybrid_search.relevance.experiment import Experiment, read_experiment
from hybrid_search.relevance.retrieval_runs import Opening
from hybrid_search.relevance.runner import Results, run_experiment
from hybrid_search.settings.settings import load_settings


@contextmanager
def experiment_results(
    file: Path, data_dir: Path | None, *, quiet: bool
) -> Iterator[tuple[Results, Index]]:
    """Run the experiment; yield its results and the index, which is open until the end."""
    experiment, settings = read_experiment(file), load_settings(data_dir)
    with open_to_read(settings) as index:
        with progress_bar(quiet=quiet) as bar:
            results = run_experiment(
                experiment_indexes(index, experiment),
                experiment,
                file.parent,
                defaults=settings.fusion.settings(),
                progress=queries_progress(bar),
            )
        yield results, index


def experiment_indexes(index: Index, experiment: Experiment) -> Opening:
    """Opens the index of each configuration by name."""
    return openings(index, {one.name: one.changes() for one in experiment.indexes})


def queries_progress(bar: Progress) -> Callable[[int, int], None]:
    """``progress(done, total)`` over queries, shown in the bar."""
    task = bar.add_task("queries", total=None)
    return lambda done, total: bar.update(task, completed=done, total=total)
