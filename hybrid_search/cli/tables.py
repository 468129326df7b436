"""Answers as tables for a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Literal

import orjson
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from hybrid_search.core import Answer, Contribution, Hit, ListName, ListReport
from hybrid_search.engine.status import StatusJson
from hybrid_search.ingest.pipeline import IngestReport
from hybrid_search.search.searcher import Suggested

MAX_SKIPPED = 20
_SHORT: dict[ListName, str] = {
    "phrase": "phrase",
    "lexical": "words",
    "text_to_image": "meaning",
    "copy_semantic": "copy",
    "image_to_image": "likeness",
}

# A pipe has no width; 80 columns would cut what a log is read for.
_width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 110
console = Console(width=_width)
errors = Console(stderr=True, width=_width)


def print_json(data: Any, *, one_line: bool = False) -> None:
    """Write one JSON object to standard output, at once."""
    option = 0 if one_line else orjson.OPT_INDENT_2
    sys.stdout.write(orjson.dumps(data, option=option).decode() + "\n")
    sys.stdout.flush()


def print_answer(answer: Answer, *, explain: bool) -> None:
    """Show a page of hits, and how each list took part.

    Explained, each hit shows its rank in every list, and how far the list is believed in it, 0 to
    1: a dash where it does not match, and the list's window with a ``>`` where it lies below it.
    """
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column, widest in (("#", 3), ("id", 20), ("title", 18), ("brand", 9), ("score", 8)):
        justify: Literal["left", "right"] = "right" if column in {"#", "score"} else "left"
        most = widest if explain else None
        table.add_column(
            column,
            justify=justify,
            no_wrap=explain,
            max_width=most,
            min_width=7 if column == "score" else None,
        )
    for report in answer.lists if explain else ():
        table.add_column(_SHORT[report.name], justify="right", no_wrap=True, min_width=7)
    if explain:
        table.add_column("matched in", no_wrap=True, max_width=11)
    for hit in answer.hits:
        table.add_row(*_cells(hit, answer, explain=explain))
    console.print(table if answer.hits else "nothing found")
    for field, values in answer.facets.items():
        counts = ", ".join(f"{found.value} {found.assets}" for found in values) or "none"
        console.print(f"{escape(field)}: {escape(counts)}")
    if answer.did_you_mean:
        console.print(f"did you mean: {escape(' | '.join(answer.did_you_mean))}")
    for note in answer.notes:
        console.print(f"note: {escape(note.text)}")
    for report in answer.lists if explain else ():
        console.print(escape(_evidence(report)), style="dim")
    found = ", ".join(f"{_SHORT[r.name]} {r.found} ({r.plan})" for r in answer.lists)
    console.print(
        f"{answer.candidates} candidates in {answer.took_ms:.1f} ms: {found}", style="dim"
    )


def _cells(hit: Hit, answer: Answer, *, explain: bool) -> list[str]:
    asset = hit.stored.asset
    title = asset.title or asset.body or ("(picture without copy)" if hit.stored.picture else "")
    phrase = " ❝" if hit.phrases else ""
    cells = [str(hit.rank), asset.id, title[:60], asset.brand, f"{hit.score:.4f}{phrase}"]
    if explain:
        windows = {report.name: report.window for report in answer.lists}
        cells += [_rank(part, windows[part.list]) for part in hit.contributions]
        cells.append(", ".join(hit.matched_fields))
    return [escape(cell) for cell in cells]


def _evidence(report: ListReport) -> str:
    """What the list's word is worth, and why."""
    why = f": {report.evidence}" if report.evidence else ""
    return f"{_SHORT[report.name]}: weight {report.weight:g} x {report.confidence:.2f}{why}"


def _rank(part: Contribution, window: int) -> str:
    if part.rank is not None:
        return f"{part.rank} {part.confidence:.2f}".replace(" 0.", " .")
    return f">{window}" if part.absent == "below_window" else "–"


def print_measures(types: Mapping[str, Mapping[str, float]], mode: str) -> None:
    """Show measures by query type."""
    table = Table(title=f"mode {mode}", box=None, header_style="bold")
    names = list(next(iter(types.values())))
    table.add_column("type")
    for name in names:
        table.add_column(name, justify="right")
    for kind, values in types.items():
        figures = [f"{v:.0f}" if name == "n" else f"{v:.3f}" for name, v in values.items()]
        table.add_row(kind, *figures, style="bold" if kind == "all" else "")
    console.print(table)


def print_suggestions(found: Suggested) -> None:
    """Show how a text may go on, and what may be meant by it."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for completion in found.completions:
        table.add_row(escape(completion.text), str(completion.assets))
    for meant in found.did_you_mean:
        table.add_row(escape(meant), "did you mean?")
    console.print(table if table.row_count else "nothing to suggest")


def print_report(report: IngestReport) -> None:
    """Show what became of the rows of an ingest, and the first that were passed over."""
    console.print(
        f"{report.indexed} indexed, {report.updated} updated, {report.unchanged} unchanged,"
        f" {len(report.skipped)} skipped"
    )
    if report.pictures:
        console.print(
            f"{report.pictures} pictures in {report.seconds:.1f} s,"
            f" {report.pictures_per_second:.1f} a second; {report.embedded} embedded"
        )
    for skipped in report.skipped[:MAX_SKIPPED]:
        console.print(f"  skipped {skipped.id}: {skipped.reason}", markup=False)
    if len(report.skipped) > MAX_SKIPPED:
        console.print(f"  and {len(report.skipped) - MAX_SKIPPED} more; --json lists all")


def print_status(facts: StatusJson) -> None:
    """Show an engine's state, one fact a line."""
    table = Table(box=None, show_header=False)
    for section, value in facts.items():
        pairs = value.items() if isinstance(value, dict) else [("", value)]
        for name, fact in pairs:
            table.add_row(f"{section} {name}".strip(), escape(str(fact)))
    console.print(table)


def progress_bar(*further: str, quiet: bool) -> Progress:
    """A bar with a count, the time left, and further columns, on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    rest = (TimeRemainingColumn(), *map(TextColumn, further))
    return Progress(*columns, *rest, console=errors, disable=quiet)
