"""Runs an experiment: retrieves every query once, then measures and tunes fusion settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hybrid_search.core import FusionSettings
from hybrid_search.relevance.evaluation import TestQuery, read_judgments, read_queries
from hybrid_search.relevance.experiment import Experiment, Setting
from hybrid_search.relevance.measurement import Lab, Table, places_by_type
from hybrid_search.relevance.retrieval_runs import Cost, IndexRun, Opening, retrieve_all
from hybrid_search.relevance.statistics import Difference, compare, holm
from hybrid_search.relevance.tuning.cutoffs import CutOff, Refusals, cut_offs, refusals
from hybrid_search.relevance.tuning.tuner import Tuned, tune


@dataclass(frozen=True, slots=True)
class Compared:
    """A configuration compared with the base over all queries."""

    name: str
    setting: Setting
    means: Mapping[str, float]
    by_type: Mapping[str, float]
    """The first measure by query type."""
    difference: Difference | None
    """Of the first measure against the base; ``None`` for the base."""
    corrected: float
    """The p-value after Holm's correction over all comparisons."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """An index searched with the base's fusion settings."""

    name: str
    cost: Cost
    means: Mapping[str, float]
    spread: Difference
    """The measure of ``cost_measure`` and its interval."""
    difference: Difference | None
    """Of the first measure against the base's index; ``None`` for that index."""


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that an experiment measured."""

    experiment: Experiment
    queries: Sequence[TestQuery]
    compared: Sequence[Compared]
    indexes: Sequence[Indexed]
    """Empty when the experiment searches one index."""
    tuned: Tuned | None
    values: Mapping[str, Table]
    """Each measure, ``(configurations, queries)``."""
    runs: Mapping[str, Sequence[tuple[str, Sequence[str]]]]
    """Each configuration's ranked ids by query."""
    settings_tried: int
    cut_offs: Sequence[CutOff]
    refusals: Mapping[str, Refusals]
    """Refusals on the held-out half, with the configured and with the learned cut-offs."""


def run_experiment(
    opening: Opening,
    experiment: Experiment,
    folder: Path,
    *,
    defaults: FusionSettings,
    progress: Callable[[int, int], None] = lambda done, whole: None,
) -> Results:
    """The results over the judged queries of the experiment.

    Paths in the experiment are relative to ``folder``. ``progress`` gets the number of retrieved
    queries and their total. Raises ``InvalidInput`` for files that cannot be read, and what
    opening an index raises.
    """
    named = {one.name: one.setting(defaults) for one in experiment.configurations}
    settings = widest(experiment, [one.fusion for one in named.values()], defaults)
    judged = _judged(experiment, folder, settings)
    tests = [test for test, _ in judged]
    runs = retrieve_all(opening, experiment.searched(), judged, progress)
    lab, base = Lab(experiment, tests, runs), named[experiment.base_name]
    values, tuned = lab.values(list(named.values())), tune(lab, base)
    cuts, refused = _cut_offs(lab, base, defaults)
    return Results(
        experiment=experiment,
        queries=tests,
        compared=_compared(experiment, named, values, tests),
        indexes=_indexed(lab, base, runs),
        tuned=tuned,
        values=values,
        runs={name: lab.ids(one) for name, one in named.items()},
        settings_tried=len(named) + (0 if tuned is None else tuned.tried),
        cut_offs=cuts,
        refusals=refused,
    )


def _judged(
    experiment: Experiment, folder: Path, settings: FusionSettings
) -> list[tuple[TestQuery, Mapping[str, int]]]:
    """The judged queries with their grades by asset id."""
    judgments = read_judgments(folder / experiment.qrels)
    tests = read_queries(folder / experiment.queries, settings)
    return [(test, judgments[test.qid]) for test in tests if judgments.get(test.qid)]


def _cut_offs(
    lab: Lab, base: Setting, defaults: FusionSettings
) -> tuple[list[CutOff], dict[str, Refusals]]:
    """Cut-offs of the base's lists, and the refusals on the held-out half."""
    found, (development, held_out) = lab.found(base.index), lab.halves()
    cuts = cut_offs(found, development, held_out, lab.experiment.refused)
    configured = {name: part.no_match_below for name, part in defaults.lists.items()}
    learned = configured | {cut.list: cut.value for cut in cuts}
    compared = {"as configured": configured, "by these cut-offs": learned}
    return cuts, {name: refusals(found, held_out, values) for name, values in compared.items()}


def cost_measure(experiment: Experiment) -> str:
    """The measure that is plotted over latency: the first recall, or else the first measure."""
    recalls = [name for name in experiment.measures if name.startswith("R@")]
    return (recalls or experiment.measures)[0]


def widest(
    experiment: Experiment, settings: Sequence[FusionSettings], defaults: FusionSettings
) -> FusionSettings:
    """The defaults with each list that any setting uses, at its widest window."""
    tried = experiment.grid.windows
    lists = {
        name: replace(
            part,
            window=max(
                [s.lists[name].window for s in settings if name in s.lists] + tried.get(name, [])
            ),
        )
        for name, part in defaults.lists.items()
        if any(name in s.lists for s in settings)
    }
    return replace(defaults, lists=lists)


def _compared(
    experiment: Experiment,
    named: Mapping[str, Setting],
    values: Mapping[str, Table],
    tests: Sequence[TestQuery],
) -> list[Compared]:
    names, primary = list(named), values[experiment.measures[0]]
    base, places = names.index(experiment.base_name), places_by_type(tests)
    differences = {
        name: compare(primary[at], primary[base], experiment.seed)
        for at, name in enumerate(names)
        if at != base
    }
    corrected = dict(zip(differences, holm([d.p for d in differences.values()]), strict=True))
    return [
        Compared(
            name=name,
            setting=named[name],
            means={measure: float(table[at].mean()) for measure, table in values.items()},
            by_type={kind: float(primary[at, own].mean()) for kind, own in places.items()},
            difference=differences.get(name),
            corrected=corrected.get(name, 1.0),
        )
        for at, name in enumerate(names)
    ]


def _indexed(lab: Lab, base: Setting, runs: Mapping[str, IndexRun]) -> list[Indexed]:
    if len(runs) < 2:
        return []
    names, seed = [base.index, *(name for name in runs if name != base.index)], lab.experiment.seed
    values = lab.values([replace(base, index=name) for name in names])
    primary, costed = values[lab.experiment.measures[0]], values[cost_measure(lab.experiment)]
    return [
        Indexed(
            name,
            runs[name].cost,
            {measure: float(table[at].mean()) for measure, table in values.items()},
            compare(costed[at], np.zeros_like(costed[at]), seed),
            compare(primary[at], primary[0], seed) if at else None,
        )
        for at, name in enumerate(names)
    ]
