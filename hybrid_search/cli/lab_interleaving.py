"""``hybrid-search lab interleaving``."""

from __future__ import annotations

from contextlib import closing

from rich.table import Table

from hybrid_search.api.schemas.interleaving import interleaved_to_json
from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.engine.parts import open_query_log
from hybrid_search.search.query_logger import Interleaved, interleaved
from hybrid_search.settings.settings import load_settings

_WINNER = {
    None: "no winner yet",
    "a": "the configured ranking is better",
    "b": "the challenger is better",
}


def command(data_dir: DataDir = None, json: Json = False) -> None:
    """Show which of two interleaved configurations gets more clicks."""
    with closing(open_query_log(load_settings(data_dir), write=False)) as log:
        found = interleaved(log.searches(mixed=True))
    if json:
        print_json({"interleaving": [interleaved_to_json(one) for one in found]})
        return
    if not found:
        console.print("no interleaved searches; set a challenger in [feedback.challenger]")
        return
    table = Table("challenger", "searches", "won", "lost", "ties", "p", "anytime p", box=None)
    for one in found:
        table.add_row(*_row(one))
    console.print(table)
    for one in found:
        console.print(f"{one.challenger}: {_WINNER[one.verdict.winner]}", markup=False)


def _row(one: Interleaved) -> tuple[str, ...]:
    verdict = one.verdict
    counts = (one.searches, verdict.wins_b, verdict.wins_a, verdict.ties)
    return (one.challenger, *map(str, counts), f"{verdict.p:.4f}", f"{verdict.p_anytime:.4f}")
