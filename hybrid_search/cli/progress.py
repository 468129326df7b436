"""Progress bars on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hybrid_search.cli.terminal import errors


def progress_bar(*further: str, quiet: bool) -> Progress:
    """A bar with a count, the time left and further columns; ``quiet`` shows none."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    rest = (TimeRemainingColumn(), *map(TextColumn, further))
    return Progress(*columns, *rest, console=errors, disable=quiet)


@contextmanager
def embedding_bar(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Yield ``progress(done, total)`` of what is embedded; the bar ends full in any case."""
    with progress_bar(quiet=quiet) as bar:
        task = bar.add_task("embedding", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
        bar.update(task, total=bar.tasks[task].completed)


@contextmanager
def checking_bar(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Yield ``progress(what, done, total)`` of what is checked or copied."""
    with progress_bar(quiet=quiet) as bar:
        task = bar.add_task("checking", total=None)

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield show
