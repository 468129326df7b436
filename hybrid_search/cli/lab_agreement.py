"""``hybrid-search lab agreement``."""

from __future__ import annotations

from rich.table import Table

from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.engine.judgments import Judgments, agreements
from hybrid_search.settings.settings import load_settings


def command(data_dir: DataDir = None, json: Json = False) -> None:
    """Show how far judges agree."""
    found = agreements(Judgments(load_settings(data_dir).data_dir).current())
    if json:
        rows = [(one.judges, one.pairs, one.same, one.kappa) for one in found]
        keys = ("judges", "pairs", "same", "kappa")
        print_json({"agreement": [dict(zip(keys, row, strict=True)) for row in rows]})
        return
    table = Table("judges", "pairs", "same grade", "weighted kappa", box=None)
    for one in found:
        table.add_row(
            " and ".join(one.judges), str(one.pairs), f"{one.same:.0%}", f"{one.kappa:.3f}"
        )
    console.print(table if found else "no pair was judged by two judges")
