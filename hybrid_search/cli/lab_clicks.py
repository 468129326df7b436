"""``hybrid-search lab clicks``, ``interleaving`` and ``forget``: what people clicked."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from hybrid_search.cli.lab_judgments import write_judged
from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.tables import console, print_json
from hybrid_search.engine.judgments import Judgment, Judgments, now
from hybrid_search.engine.parts import open_query_log
from hybrid_search.relevance.click_model import ClickModel, fit, shown_in
from hybrid_search.search.query_logger import Interleaved, interleaved
from hybrid_search.settings.settings import load_settings

_JUDGE = "clicks"
_SAID = {None: "no winner yet", "a": "the configured one is better", "b": "it is better"}


def judge_by_clicks(
    folder: Annotated[Path, typer.Argument(help="Folder for queries.jsonl and qrels.txt.")],
    least: Annotated[
        int, typer.Option("--least", min=1, help="Times that an ad must have been looked at.")
    ] = 10,
    keep: Annotated[
        bool, typer.Option("--keep", help="Add them to the judgments too, as the judge clicks.")
    ] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Make judgments of what was clicked, corrected for where it stood."""
    settings = load_settings(data_dir)
    with closing(open_query_log(settings, write=False)) as log:
        searches = shown_in(log.searches())
    model = fit(searches)
    grades = model.grades(least=least)
    made = [Judgment(*pair, grade, _JUDGE, _JUDGE, now()) for pair, grade in grades.items()]
    queries = write_judged(folder, made, _JUDGE)
    if keep and made:
        Judgments(settings.data_dir).add(made)
    if json:
        told = {"searches": len(searches), "queries": queries, "judgments": len(made)}
        print_json({**told, "looked_at": model.looked_at, "folder": str(folder)})
    else:
        _print_model(model, len(searches))
        told_of = f"{len(made)} judgments of {queries} queries: {folder / 'qrels.txt'}"
        console.print(told_of, markup=False, soft_wrap=True)


def _print_model(model: ClickModel, searches: int) -> None:
    table = Table(
        "rank", *(str(rank) for rank in range(1, len(model.looked_at[:10]) + 1)), box=None
    )
    table.add_row("looked at", *(f"{share:.0%}" for share in model.looked_at[:10]))
    console.print(f"{searches} searches for words")
    console.print(table)


def show_interleaving(data_dir: DataDir = None, json: Json = False) -> None:
    """Show which of two configurations people click more, where they were mixed."""
    with closing(open_query_log(load_settings(data_dir), write=False)) as log:
        found = interleaved(log.searches(mixed=True))
    if json:
        print_json({"interleaving": [one.as_json() for one in found]})
        return
    if not found:
        console.print("nothing was mixed yet; name a challenger in [feedback.challenger]")
        return
    table = Table("challenger", "searches", "won", "lost", "ties", "p", "at any time", box=None)
    for one in found:
        table.add_row(*_row(one))
    console.print(table)
    for one in found:
        console.print(f"{one.challenger}: {_SAID[one.verdict.winner]}", markup=False)


def _row(one: Interleaved) -> tuple[str, ...]:
    told = one.verdict
    won = (str(told.wins_b), str(told.wins_a), str(told.ties))
    return (one.challenger, str(one.searches), *won, f"{told.p:.4f}", f"{told.p_anytime:.4f}")


def forget_searches(
    before: Annotated[
        datetime | None,
        typer.Option("--before", formats=["%Y-%m-%d"], help="Only what is older; UTC."),
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Remove searches and their clicks from the log."""
    with closing(open_query_log(load_settings(data_dir), write=True)) as log:
        when = None if before is None else before.replace(tzinfo=UTC).isoformat(timespec="minutes")
        removed = log.forget(when)
    if json:
        print_json({"removed": removed})
    else:
        console.print(f"{removed} searches are removed")
