"""What became of a change of the model."""

from __future__ import annotations

import sys

from hybrid_search.cli.rebuild_report import print_rebuilt
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.engine.status import swapped_to_json
from hybrid_search.stores.embedded.rebuild import Swapped


def report(done: Swapped, *, json: bool) -> None:
    """Print the report; exits with 4 when the old model stays in use."""
    if json:
        print_json(swapped_to_json(done))
    else:
        _print(done)
    if not done.published:
        sys.exit(4)


def _print(done: Swapped) -> None:
    if done.built:
        print_rebuilt(done.built)
    if done.judged is not None:
        console.print(f"nDCG@10 {done.judged.after:.3f}, before {done.judged.before:.3f}")
    if done.published:
        console.print(f"in use: {done.model}\nbefore: {done.before}")
        console.print("to switch back: hybrid-search model rollback", style="dim")
    else:
        console.print(f"not in use: {done.model}; {done.before} stays in use", style="red")
