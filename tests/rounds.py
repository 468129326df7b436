"""How often tests repeat what they try: ``make test`` a few times, ``make soak`` many times."""

import os

SOAK = os.environ.get("SOAK") == "1"


def rounds(few: int, many: int) -> int:
    return many if SOAK else few
