"""Building indexes anew, with a bar for what takes long, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from hybrid_search.cli.tables import console, progress_bar
from hybrid_search.core.ports import Rebuilt, Subject
from hybrid_search.settings.settings import Settings
from hybrid_search.stores.embedded.rebuild import Progress, rebuild, rebuild_vectors


def rebuild_parts(
    settings: Settings, *, only_vectors: bool, quiet: bool
) -> Mapping[Subject, Rebuilt]:
    """Build everything anew, or the vector indexes alone."""
    if only_vectors:
        with progress_bar(quiet=quiet) as bar:
            bar.add_task("building the vector indexes", total=None)
            return rebuild_vectors(settings)
    with embedding_bar(quiet=quiet) as progress:
        return rebuild(settings, progress)


@contextmanager
def embedding_bar(*, quiet: bool) -> Iterator[Progress]:
    """A bar of what is embedded, and what moves it; full at the end, though nothing was."""
    with progress_bar(quiet=quiet) as bar:
        task = bar.add_task("to embed", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
        bar.update(task, total=bar.tasks[task].completed)


def print_rebuilt(parts: Mapping[Subject, Rebuilt]) -> None:
    """Show what was built, and of an index that finds too little what to change."""
    for subject, built in parts.items():
        _print_part(subject, built)


def _print_part(subject: Subject, built: Rebuilt) -> None:
    values = ", ".join(f"{name} {value}" for name, value in built.parameters.items())
    console.print(
        f"{subject}: {built.kind}{f' ({values})' if values else ''} over {built.vectors:,} vectors"
        f" in {built.seconds:.1f} s: {built.bytes / 1e6:,.1f} MB,"
        f" predicted {built.predicted / 1e6:,.1f} MB"
    )
    recalls = f"recall@10 {built.recall:.3f}, before {built.recall_before:.3f}"
    if built.published:
        console.print(f"finds what it must: {recalls}")
    else:
        console.print(
            f"finds too little, the old one goes on serving: {recalls}; raise ef_search, nprobe or"
            " rerank in [vector], or lower min_recall",
            style="red",
        )
