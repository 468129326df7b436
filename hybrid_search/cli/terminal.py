"""Standard output and standard error as the commands write to them."""

from __future__ import annotations

import os
import sys
from typing import Any

import orjson
from rich.console import Console

# A pipe has no width; 80 columns would cut what a log is read for.
_width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 110
console = Console(width=_width)
errors = Console(stderr=True, width=_width)


def print_json(data: Any, *, one_line: bool = False) -> None:
    """Write one JSON object to standard output and flush it."""
    option = 0 if one_line else orjson.OPT_INDENT_2
    sys.stdout.write(orjson.dumps(data, option=option).decode() + "\n")
    sys.stdout.flush()
