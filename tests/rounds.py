"""How often tests repeat what they try: ``make test`` a few times, ``make soak`` many times."""

import os
from typing import TypeVar

SOAK = os.environ.get("SOAK") == "1"
Tried = TypeVar("Tried")


def rounds(few: Tried, many: Tried) -> Tried:
    return many if SOAK else few
