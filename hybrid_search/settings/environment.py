"""Variables of the environment that are meant for this package."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from hybrid_search.core.errors import InvalidConfig


def check_environment(environment: Mapping[str, str], prefix: str, names: Iterable[str]) -> None:
    """Refuse a variable with the package's prefix that none of the settings answers to."""
    known = [prefix + name.upper().replace(".", "__") for name in names]
    sections = {
        name.rsplit("__", depth)[0] for name in known for depth in range(1, name.count("__") + 1)
    }
    for variable in (name.upper() for name in environment):
        if variable.startswith(prefix) and variable not in {*known, *sections}:
            near = difflib.get_close_matches(variable, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise InvalidConfig(f"config: {variable} is no setting{hint}")
