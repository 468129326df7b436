"""Runs an experiment: retrieve once, fuse often, measure, choose on one half, tell of the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hybrid_search.core import FusionSettings
from hybrid_search.core.ports import Catalog
from hybrid_search.relevance.evaluation import TestQuery, read_judgments, read_queries
from hybrid_search.relevance.experiment import Experiment, Setting
from hybrid_search.relevance.measurement import Lab, Table, places_by_type
from hybrid_search.relevance.retrieval_runs import Asked, Cost, Opening, ask
from hybrid_search.relevance.statistics import Difference, compare, holm
from hybrid_search.relevance.tuning.cutoffs import CutOff, Refusals, cut_offs, refusals
from hybrid_search.relevance.tuning.tuner import Tuned, tune


@dataclass(frozen=True, slots=True)
class Compared:
    """A configuration, against the base over all queries."""

    name: str
    setting: Setting
    means: Mapping[str, float]
    by_type: Mapping[str, float]
    """The first measure by type of query."""
    difference: Difference | None
    """Of the first measure; ``None`` for the base itself."""
    corrected: float
    """Its p, corrected for the number of comparisons."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """An index, searched by the base's settings of fusion."""

    name: str
    cost: Cost
    means: Mapping[str, float]
    spread: Difference
    """The measure that is told over the cost, and its interval."""
    difference: Difference | None
    """Of the first measure, against the base's index; ``None`` for that itself."""


@dataclass(frozen=True, slots=True)
class Results:
    """All that an experiment found."""

    experiment: Experiment
    queries: Sequence[TestQuery]
    compared: Sequence[Compared]
    indexes: Sequence[Indexed]
    """Where there are several."""
    tuned: Tuned | None
    values: Mapping[str, Table]
    """Each measure by configuration and query."""
    runs: Mapping[str, Sequence[tuple[str, Sequence[str]]]]
    """Each configuration's ranked ids by query."""
    settings_tried: int
    cut_offs: Sequence[CutOff]
    refusals: Mapping[str, Refusals]
    """What is refused of the half that no cut-off was chosen on: as configured, and by these."""


def run_experiment(
    opening: Opening,
    catalog: Catalog,
    experiment: Experiment,
    folder: Path,
    *,
    defaults: FusionSettings,
    progress: Callable[[int, int], None] = lambda done, whole: None,
) -> Results:
    """The results; query files lie in the folder.

    ``progress`` is told how many queries were asked, of how many. Only judged queries count. Raises
    ``InvalidInput`` for files that cannot be read, and what opening an index raises.
    """
    named = {one.name: one.setting(defaults) for one in experiment.configurations}
    asked_of = widest(experiment, [one.fusion for one in named.values()], defaults)
    judged = _judged(experiment, folder, asked_of)
    tests = [test for test, _ in judged]
    asked = ask(opening, catalog, experiment.searched(), judged, progress)
    lab, base = Lab(experiment, tests, asked), named[experiment.base_name]
    values, tuned = lab.values(list(named.values())), tune(lab, base)
    learned, refused = _cuts(lab, base, defaults)
    return Results(
        experiment=experiment,
        queries=tests,
        compared=_compared(experiment, named, values, tests),
        indexes=_indexed(lab, base, asked),
        tuned=tuned,
        values=values,
        runs={name: lab.ids(one) for name, one in named.items()},
        settings_tried=len(named) + (0 if tuned is None else tuned.tried),
        cut_offs=learned,
        refusals=refused,
    )


def _judged(
    experiment: Experiment, folder: Path, settings: FusionSettings
) -> list[tuple[TestQuery, Mapping[str, int]]]:
    """The queries that are judged, with their grades."""
    judgments = read_judgments(folder / experiment.qrels)
    tests = read_queries(folder / experiment.queries, settings)
    return [(test, judgments[test.qid]) for test in tests if judgments.get(test.qid)]


def _cuts(
    lab: Lab, base: Setting, defaults: FusionSettings
) -> tuple[list[CutOff], dict[str, Refusals]]:
    """Cut-offs of the base's lists, and what they refuse of the half they were not chosen on."""
    found, (chosen_on, told_of) = lab.found(base.index), lab.halves()
    cuts = cut_offs(found, chosen_on, told_of, lab.experiment.refused)
    configured = {name: part.no_match_below for name, part in defaults.lists.items()}
    learned = configured | {cut.list: cut.value for cut in cuts}
    tried = {"as configured": configured, "by these cut-offs": learned}
    return cuts, {name: refusals(found, told_of, values) for name, values in tried.items()}


def over_cost(experiment: Experiment) -> str:
    """The measure that is told over the cost of a search: recall, where it is measured."""
    recalls = [name for name in experiment.measures if name.startswith("R@")]
    return (recalls or experiment.measures)[0]


def widest(
    experiment: Experiment, settings: Sequence[FusionSettings], defaults: FusionSettings
) -> FusionSettings:
    """The defaults with the widest window that is tried, of the lists that any setting has."""
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


def _indexed(lab: Lab, base: Setting, asked: Mapping[str, Asked]) -> list[Indexed]:
    if len(asked) < 2:
        return []
    names, seed = [base.index, *(name for name in asked if name != base.index)], lab.experiment.seed
    values = lab.values([replace(base, index=name) for name in names])
    primary, told = values[lab.experiment.measures[0]], values[over_cost(lab.experiment)]
    return [
        Indexed(
            name,
            asked[name].cost,
            {measure: float(table[at].mean()) for measure, table in values.items()},
            compare(told[at], told[at] * 0.0, seed),
            compare(primary[at], primary[0], seed) if at else None,
        )
        for at, name in enumerate(names)
    ]
