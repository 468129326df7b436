"""``hybrid-search repair``."""

from __future__ import annotations

import sys

from hybrid_search.cli.checks_table import checks_as_json, print_checks
from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.progress import checking_bar
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.settings.settings import load_settings
from hybrid_search.stores.embedded.repair import repair


def command(data_dir: DataDir = None, json: Json = False) -> None:
    """Repair the index from the catalog, then verify it.

    Stop the service first. Exits with 3 when something is still wrong, or was lost.
    """
    with checking_bar(quiet=json) as progress:
        repaired = repair(load_settings(data_dir), progress)
    if json:
        done = {"done": repaired.done, "lost": repaired.lost, "whole": repaired.whole}
        print_json({**done, "checks": checks_as_json(repaired.checks)})
    else:
        for line in repaired.done:
            console.print(f"repaired: {line}", markup=False)
        for line in repaired.lost:
            console.print(f"lost: {line}", style="red", markup=False)
        print_checks(repaired.checks)
    if repaired.lost or not repaired.whole:
        sys.exit(3)
