"""Experiments as files: what is compared, over which queries, and what is expected."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hybrid_search.errors import InvalidInput
from hybrid_search.experiments.relevance.measures import parse_measure
from hybrid_search.records import FusionMethod, FusionSettings, ListName
from hybrid_search.wire.assets import parse_model
from hybrid_search.wire.queries import Mode, restrict

MAX_SETTINGS = 20_000
_Weight = Annotated[float, Field(ge=0.0, le=100.0)]
_Window = Annotated[int, Field(ge=1, le=1000)]
_Constant = Annotated[float, Field(gt=0.0, le=10_000.0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Configuration(_Part):
    """One way of searching; what is not said is as the index is configured."""

    name: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[\w .+-]+$")]
    mode: Mode = "hybrid"
    fusion: FusionMethod | None = None
    rank_constant: _Constant | None = None
    weights: dict[ListName, _Weight] = {}
    windows: dict[ListName, _Window] = {}

    def settings(self, defaults: FusionSettings) -> FusionSettings:
        """The settings of fusion that it stands for."""
        kept = restrict(defaults, self.mode)
        lists = {
            name: replace(
                part,
                weight=self.weights.get(name, part.weight),
                window=self.windows.get(name, part.window),
            )
            for name, part in kept.lists.items()
        }
        return FusionSettings(
            self.rank_constant or kept.rank_constant, lists, self.fusion or kept.method
        )


class Grid(_Part):
    """Settings that are tried in all combinations, on top of the base."""

    fusion: list[FusionMethod] = []
    rank_constant: list[_Constant] = []
    weights: dict[ListName, list[_Weight]] = {}
    sample: Annotated[int, Field(ge=1, le=MAX_SETTINGS)] | None = None
    """So many combinations by chance instead of all (Bergstra and Bengio, 2012)."""

    def axes(self) -> dict[str, list[float | str]]:
        """The values of each parameter that has any, by its name."""
        found: dict[str, list[float | str]] = {}
        if self.fusion:
            found["fusion"] = list(self.fusion)
        if self.rank_constant:
            found["rank_constant"] = list(self.rank_constant)
        found |= {f"weights.{name}": list(values) for name, values in self.weights.items()}
        return found

    def points(self) -> Iterator[dict[str, float | str]]:
        """Every combination, the last parameter fastest."""
        axes = self.axes()
        for values in itertools.product(*axes.values()):
            yield dict(zip(axes, values, strict=True))


class Expected(_Part):
    """What a measure was, and how far it may lie below."""

    value: float
    tolerance: Annotated[float, Field(ge=0.0)] = 0.005


class Experiment(_Part):
    """The content of an experiment file."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    queries: str
    """Queries, JSONL, by their path beside the file."""
    qrels: str
    """Judgments, TREC qrels."""
    measures: Annotated[list[str], Field(min_length=1, max_length=20)] = [
        "nDCG@10",
        "MRR@10",
        "R@10",
    ]
    """The first is what settings are chosen by."""
    seed: int = 1
    split: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    """Share of the queries of each type that settings are chosen on; reported are the others."""
    refused: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.05
    """Share of what a list answers that its cut-off may refuse."""
    base: str = ""
    """The configuration that others are compared with; the first unless it is named."""
    configurations: Annotated[list[Configuration], Field(min_length=1, max_length=50)]
    grid: Grid = Grid()
    expected: dict[str, dict[str, Expected]] = {}
    """By configuration and measure, over all queries."""

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
        """The configuration that others are compared with."""
        return self.base or self.configurations[0].name


def read_experiment(path: Path) -> Experiment:
    """The experiment in that file; raises ``InvalidInput`` that names what is wrong."""
    if not path.is_file():
        raise InvalidInput(f"experiment: no file at {path}")
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        raise InvalidInput(f"experiment: {path.name} is not TOML, {failure}") from None
    found = parse_model(Experiment, data, InvalidInput)
    names = [one.name for one in found.configurations]
    _check(len(set(names)) == len(names), "configurations: a name is given twice")
    _check(found.base_name in names, f"base: {found.base_name!r} is no configuration")
    for name, measures in found.expected.items():
        _check(name in names, f"expected: {name!r} is no configuration")
        unknown = set(measures) - set(found.measures)
        _check(not unknown, f"expected.{name}: {', '.join(sorted(unknown))} is not measured")
    count = len(list(itertools.islice(found.grid.points(), MAX_SETTINGS + 1)))
    _check(count <= MAX_SETTINGS, f"grid: more than {MAX_SETTINGS:,} settings, the limit")
    return found


def at_point(base: FusionSettings, point: Mapping[str, float | str]) -> FusionSettings:
    """The base with the values of one point of a grid."""
    settings = base
    for name, value in point.items():
        what, _, ranked = name.partition(".")
        if what == "weights":
            lists = {
                one: replace(part, weight=float(value)) if one == ranked else part
                for one, part in settings.lists.items()
            }
            settings = replace(settings, lists=lists)
        elif what == "fusion":
            settings = replace(settings, method=value)  # type: ignore[arg-type]  # checked by the file's model
        else:
            settings = replace(settings, rank_constant=float(value))
    return settings


def _check(holds: bool, told: str) -> None:
    if not holds:
        raise InvalidInput(told)
