"""Settings found by an experiment, as lines of ``hybrid_search.toml``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from hybrid_search.core import FusionSettings, ListName
from hybrid_search.relevance.experiment import AS_BUILT
from hybrid_search.relevance.runner import Results
from hybrid_search.relevance.statistics import spread
from hybrid_search.relevance.tuning.cutoffs import CutOff
from hybrid_search.relevance.tuning.tuner import Tuned


def as_settings(results: Results, tuned: Tuned) -> str:
    """The sections for the tuned setting: fusion, its lists, and the changes of its index."""
    setting, fusion, gain = tuned.setting, tuned.setting.fusion, tuned.difference
    measure = results.experiment.measures[0]
    comment = f"# {measure} {spread(gain)} on {gain.queries} held-out queries.\n"
    head = {"method": fusion.method, "rank_constant": fusion.rank_constant}
    lists = {
        f"fusion.{name}": {"window": part.window, "weight": part.weight}
        for name, part in fusion.lists.items()
    }
    changed = {one.name: one.changes() for one in results.experiment.indexes}
    sections: dict[str, Mapping[str, Any]] = {
        "fusion": head,
        **lists,
        **changed.get(setting.index, {}),
    }
    return comment + "\n".join(_sections(sections)) + "\n"


def as_challenger(results: Results, tuned: Tuned) -> str:
    """The section that makes the tuned setting the challenger of interleaving.

    Empty if it needs another index or other windows: a challenger changes fusion only.
    """
    (base,) = (o.setting for o in results.compared if o.name == results.experiment.base_name)
    own = tuned.setting.fusion
    if tuned.setting.index != AS_BUILT or _windows(own) != _windows(base.fusion):
        return ""
    changed = {
        "name": "tuned",
        "method": own.method,
        "rank_constant": own.rank_constant,
        "weights": {name: part.weight for name, part in own.lists.items()},
    }
    comment = "\n# Or compare it with the configured ranking by clicks first:\n"
    return comment + "\n".join(_sections({"feedback.challenger": changed})) + "\n"


def _windows(fusion: FusionSettings) -> dict[ListName, int]:
    return {name: part.window for name, part in fusion.lists.items()}


def as_cut_offs(cuts: Sequence[CutOff]) -> str:
    """The sections that set these cut-offs, rounded down to four digits."""
    # Rounded down, so that a candidate at the cut-off is still accepted.
    values = {cut.list: math.floor(cut.value * 1e4) / 1e4 for cut in cuts}
    sections = {f"fusion.{name}": {"no_match_below": value} for name, value in values.items()}
    return "\n".join(_sections(sections)) + "\n"


def _sections(sections: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for place, (name, values) in enumerate(sections.items()):
        inner = {f"{name}.{key}": v for key, v in values.items() if name == "fields"}
        if inner:
            yield from _sections(inner)
            continue
        yield f"{'' if not place else chr(10)}[{name}]"
        yield from (f"{key} = {_value(value)}" for key, value in values.items())


def _value(value: Any) -> str:
    """A TOML value: JSON syntax, except for tables."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_value(v)}' for key, v in value.items())} }}"
    return f"{value:g}" if isinstance(value, float) else orjson.dumps(value).decode()
