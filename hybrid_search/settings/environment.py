"""The environment variables that set settings."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from hybrid_search.core.errors import InvalidConfig


def check_environment(environment: Mapping[str, str], prefix: str, names: Iterable[str]) -> None:
    """Raise ``InvalidConfig`` for a variable with the prefix that names no setting or section.

    ``names`` are settings with their sections, such as ``fusion.rank_constant``.
    """
    settings = [prefix + name.upper().replace(".", "__") for name in names]
    sections = {
        name.rsplit("__", depth)[0] for name in settings for depth in range(1, name.count("__") + 1)
    }
    known = {*settings, *sections}
    for variable in (name.upper() for name in environment):
        if variable.startswith(prefix) and variable not in known:
            similar = difflib.get_close_matches(variable, settings, 1)
            hint = f"; did you mean {similar[0]}?" if similar else ""
            raise InvalidConfig(f"config: {variable} is not a setting{hint}")
