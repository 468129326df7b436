"""Experiment files: configurations, grids, queries and expected measures."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hybrid_search.core import FusionMethod, FusionSettings, ListName, ListSettings, Mode, restrict
from hybrid_search.core.errors import InvalidInput
from hybrid_search.core.json_input import parse_model
from hybrid_search.relevance.metrics import parse_measure

MAX_SETTINGS = 20_000
MAX_TRIALS = 5_000
AS_BUILT = "as built"
"""The name of the serving index."""
_Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[\w .+-]+$")]
_Weight = Annotated[float, Field(ge=0.0, le=100.0)]
_Window = Annotated[int, Field(ge=1, le=1000)]
_Constant = Annotated[float, Field(gt=0.0, le=10_000.0)]
Value = float | str
Point = Mapping[str, Value]
"""One value for each parameter of a grid, by name."""


@dataclass(frozen=True, slots=True)
class Setting:
    """An index and the fusion settings for its candidates."""

    index: str
    fusion: FusionSettings


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class IndexChange(_Part):
    """A temporary index over the same assets with other settings."""

    name: _Name
    lexical: dict[str, Any] = {}
    """Settings of the section ``[lexical]``, for example ``analyzer``."""
    fields: dict[str, dict[str, Any]] = {}
    """Field rules by field name: ``searched``, ``boost``, ..."""
    vector: dict[str, Any] = {}
    """Settings of the section ``[vector]``: ``kind``, ``ef_search``, ``nprobe``, ..."""

    def changes(self) -> dict[str, dict[str, Any]]:
        """The changed settings, by section."""
        parts = {"lexical": self.lexical, "fields": self.fields, "vector": self.vector}
        return {name: given for name, given in parts.items() if given}


class Configuration(_Part):
    """A search configuration; omitted values are those of the index."""

    name: _Name
    index: str = AS_BUILT
    """Name of the index to search."""
    mode: Mode = "hybrid"
    fusion: FusionMethod | None = None
    rank_constant: _Constant | None = None
    weights: dict[ListName, _Weight] = {}
    windows: dict[ListName, _Window] = {}

    def setting(self, defaults: FusionSettings) -> Setting:
        """The complete setting, with omitted values from the defaults."""
        kept = restrict(defaults, self.mode)
        lists = {
            name: replace(
                part,
                weight=self.weights.get(name, part.weight),
                window=self.windows.get(name, part.window),
            )
            for name, part in kept.lists.items()
        }
        constant, method = self.rank_constant or kept.rank_constant, self.fusion or kept.method
        return Setting(self.index, FusionSettings(constant, lists, method))


class Grid(_Part):
    """Parameter values whose combinations are tried on top of the base."""

    index: list[str] = []
    fusion: list[FusionMethod] = []
    rank_constant: list[_Constant] = []
    weights: dict[ListName, list[_Weight]] = {}
    windows: dict[ListName, list[_Window]] = {}
    sample: Annotated[int, Field(ge=1, le=MAX_SETTINGS)] | None = None
    """Try this many random combinations instead of all (Bergstra and Bengio, 2012)."""
    optuna: Annotated[int, Field(ge=1, le=MAX_TRIALS)] | None = None
    """Try this many proposals of Optuna instead (TPE, Bergstra et al., 2011). Numbers may lie
    anywhere between the smallest and the largest given value."""

    def axes(self) -> dict[str, list[Value]]:
        """The values of each given parameter, by name."""
        single: dict[str, list[Any]] = {
            "index": self.index,
            "fusion": self.fusion,
            "rank_constant": self.rank_constant,
        }
        weights = {f"weights.{name}": values for name, values in self.weights.items()}
        windows = {f"windows.{name}": values for name, values in self.windows.items()}
        return {name: list(v) for name, v in (single | weights | windows).items() if v}

    def points(self) -> Iterator[dict[str, Value]]:
        """Every combination; the last parameter varies fastest."""
        axes = self.axes()
        for values in itertools.product(*axes.values()):
            yield dict(zip(axes, values, strict=True))


class Expected(_Part):
    """The expected value of a measure, and how far below it may lie."""

    value: float
    tolerance: Annotated[float, Field(ge=0.0)] = 0.005


class Experiment(_Part):
    """The content of an experiment file."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    queries: str
    """Queries, JSONL; the path is relative to the experiment file."""
    qrels: str
    """Judgments, TREC qrels; the path is relative to the experiment file."""
    measures: Annotated[list[str], Field(min_length=1, max_length=20)] = [
        "nDCG@10",
        "MRR@10",
        "R@10",
    ]
    """Settings are chosen by the first measure."""
    seed: int = 1
    split: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    """Share of development queries in each query type; the others are held out."""
    refused: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.05
    """Share of a list's answered queries that its cut-off may refuse."""
    base: str = ""
    """Name of the configuration that others are compared with; the first by default."""
    indexes: Annotated[list[IndexChange], Field(max_length=20)] = []
    configurations: Annotated[list[Configuration], Field(min_length=1, max_length=50)]
    grid: Grid = Grid()
    expected: dict[str, dict[str, Expected]] = {}
    """By configuration and measure; values are over all queries."""

    @field_validator("measures")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        for name in names:
            try:
                parse_measure(name)
            except InvalidInput as failure:
                raise ValueError(str(failure)) from None
        return names

    @property
    def base_name(self) -> str:
        """The name of the base configuration."""
        return self.base or self.configurations[0].name

    def searched(self) -> list[str]:
        """The names of all indexes in the file, the base's first."""
        (base,) = (one.index for one in self.configurations if one.name == self.base_name)
        own = [*(one.index for one in self.configurations), *self.grid.index]
        return list(dict.fromkeys([base, *own, *(one.name for one in self.indexes)]))


def read_experiment(path: Path) -> Experiment:
    """The experiment in that file; raises ``InvalidInput`` that names the wrong part."""
    if not path.is_file():
        raise InvalidInput(f"experiment: no file at {path}")
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        raise InvalidInput(f"experiment: {path.name} is not TOML, {failure}") from None
    found = parse_model(Experiment, data, InvalidInput)
    _check_names(found)
    grid = found.grid
    _check(grid.sample is None or grid.optuna is None, "grid: sample and optuna exclude each other")
    if grid.optuna is None:
        count = len(list(itertools.islice(grid.points(), MAX_SETTINGS + 1)))
        _check(count <= MAX_SETTINGS, f"grid: more than {MAX_SETTINGS:,} settings, the limit")
    return found


def _check_names(found: Experiment) -> None:
    names = [one.name for one in found.configurations]
    _check(len(set(names)) == len(names), "configurations: two have the same name")
    _check(
        found.base_name in names, f"base: {found.base_name!r} is not the name of a configuration"
    )
    for name, measures in found.expected.items():
        _check(name in names, f"expected: {name!r} is not the name of a configuration")
        unknown = set(measures) - set(found.measures)
        _check(not unknown, f"expected.{name}: {', '.join(sorted(unknown))} is not in measures")
    indexes = [AS_BUILT, *(one.name for one in found.indexes)]
    _check(len(set(indexes)) == len(indexes), "indexes: two have the same name")
    for name in found.searched():
        _check(name in indexes, f"index: {name!r} is not one of {', '.join(map(repr, indexes))}")


def at_point(base: Setting, point: Point) -> Setting:
    """The base with the values of one grid point."""
    fusion, lists = base.fusion, dict(base.fusion.lists)
    for name, value in point.items():
        what, _, ranked = name.partition(".")
        lists |= {own: _changed(part, what, value) for own, part in lists.items() if own == ranked}
    return Setting(
        str(point.get("index", base.index)),
        FusionSettings(
            float(point.get("rank_constant", fusion.rank_constant)),
            lists,
            point.get("fusion", fusion.method),  # type: ignore[arg-type]  # checked by the file's model
        ),
    )


def _changed(part: ListSettings, what: str, value: Value) -> ListSettings:
    if what == "windows":
        return replace(part, window=int(value))
    return replace(part, weight=float(value))


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise InvalidInput(message)
