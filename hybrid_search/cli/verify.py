"""``hybrid-search verify``."""

from __future__ import annotations

import sys

from hybrid_search.cli.checks_table import checks_as_json, print_checks
from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.progress import checking_bar
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.settings.settings import load_settings
from hybrid_search.stores.embedded.verify import verify


def command(data_dir: DataDir = None, json: Json = False) -> None:
    """Check everything that is stored; change nothing.

    A service may keep running. Exits with 3 when anything is wrong.
    """
    with checking_bar(quiet=json) as progress:
        checks = verify(load_settings(data_dir), progress)
    whole = not any(check.problems for check in checks)
    if json:
        print_json({"whole": whole, "checks": checks_as_json(checks)})
    else:
        print_checks(checks)
        if not whole:
            console.print(
                "to repair it: stop the service and run hybrid-search repair", style="dim"
            )
    if not whole:
        sys.exit(3)
