"""A page of hits as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rich.markup import escape
from rich.table import Table

from hybrid_search.cli.terminal import console
from hybrid_search.core import (
    LISTS,
    Contribution,
    FacetTotals,
    FacetValue,
    Hit,
    ListReport,
    SearchResult,
)


def print_answer(answer: SearchResult, *, explain: bool) -> None:
    """Show a page of hits, the facets and notes, and the number of candidates of each list.

    With ``explain``, each hit shows its rank and confidence in every list: a dash where it does
    not match, and the list's window behind a ``>`` where it ranks below it.
    """
    console.print(_table(answer, explain=explain) if answer.hits else "no hits")
    for field, values in answer.facets.items():
        console.print(f"{escape(field)}: {escape(_counts(values, answer.facet_totals[field]))}")
    if answer.did_you_mean:
        console.print(f"did you mean: {escape(' | '.join(answer.did_you_mean))}")
    for note in answer.notes:
        console.print(f"note: {escape(note.text)}")
    for report in answer.lists if explain else ():
        console.print(escape(_evidence(report)), style="dim")
    found = ", ".join(f"{LISTS[r.name].label} {r.found} ({r.plan})" for r in answer.lists)
    totals = answer.totals
    console.print(_headline(totals.matched, totals.related))
    console.print(f"{answer.took_ms:.1f} ms: {found}", style="dim")
    if answer.cursor is not None:
        console.print(f"next page: --cursor {answer.cursor}", style="dim", soft_wrap=True)


def _table(answer: SearchResult, *, explain: bool) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column, widest in (("#", 3), ("id", 20), ("title", 18), ("brand", 9), ("score", 8)):
        justify: Literal["left", "right"] = "right" if column in {"#", "score"} else "left"
        table.add_column(
            column,
            justify=justify,
            no_wrap=explain,
            max_width=widest if explain else None,
            min_width=7 if column == "score" else None,
        )
    if explain:
        for report in answer.lists:
            table.add_column(LISTS[report.name].label, justify="right", no_wrap=True, min_width=7)
        table.add_column("matched in", no_wrap=True, max_width=11)
    matched = True
    for hit in answer.hits:
        if matched and not hit.matched:
            table.add_row("", "[dim]── loosely related[/dim]")
        matched = hit.matched
        table.add_row(*_cells(hit, answer, explain=explain))
    return table


def _headline(matched: int, related: int) -> str:
    """How many ads match.

    >>> _headline(1, 20)
    '1 ad matches; 20 more are loosely related'
    """
    ads = f"{matched:,} ad matches" if matched == 1 else f"{matched:,} ads match"
    return f"{ads}; {related:,} more are loosely related" if related else ads


def _counts(values: Sequence[FacetValue], totals: FacetTotals) -> str:
    counts = [f"{found.value} {found.assets}" for found in values]
    counts += [f"other {totals.other}"] if totals.other else []
    counts += [f"missing {totals.missing}"] if totals.missing else []
    return ", ".join(counts) or "none"


def _cells(hit: Hit, answer: SearchResult, *, explain: bool) -> list[str]:
    asset = hit.stored.asset
    title = asset.title or asset.body or ("(picture without text)" if hit.stored.picture else "")
    phrase = " ❝" if hit.phrases else ""
    cells = [str(hit.rank), asset.id, title[:60], asset.brand, f"{hit.score:.4f}{phrase}"]
    if explain:
        windows = {report.name: report.window for report in answer.lists}
        cells += [_rank(part, windows[part.list]) for part in hit.contributions]
        cells.append(", ".join(hit.matched_fields))
    return [escape(cell) for cell in cells]


def _evidence(report: ListReport) -> str:
    """The list's weight and confidence, and why."""
    why = f": {report.evidence}" if report.evidence else ""
    return f"{LISTS[report.name].label}: weight {report.weight:g} x {report.confidence:.2f}{why}"


def _rank(part: Contribution, window: int) -> str:
    if part.rank is not None:
        return f"{part.rank} {part.confidence:.2f}".replace(" 0.", " .")
    return f">{window}" if part.absent == "below_window" else "–"
