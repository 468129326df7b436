"""The figures of an experiment's report, by section; need the extra ``lab`` (matplotlib)."""

from __future__ import annotations

from collections.abc import Iterator

from hybrid_search.relevance.report import plots
from hybrid_search.relevance.report.formats import Figure
from hybrid_search.relevance.runner import Results, cost_measure
from hybrid_search.relevance.tuning.tuner import Tuned


def report_figures(results: Results) -> dict[str, list[Figure]]:
    """The figures of the sections ``configurations``, ``indexes`` and ``tuning``."""
    primary, tuned = results.experiment.measures[0], results.tuned
    return {
        "configurations": list(_configurations(results, primary)),
        "indexes": [_cost(results)] if results.indexes else [],
        "tuning": [] if tuned is None else list(_tuning(tuned, primary)),
    }


def _configurations(results: Results, primary: str) -> Iterator[Figure]:
    means = {one.name: one.means[primary] for one in results.compared}
    yield Figure(
        "configurations.svg", f"{primary} by configuration", plots.bars_plot(means, primary)
    )
    names, table = list(means), results.values[primary]
    base = results.experiment.base_name
    for name, values in zip(names, table, strict=True):
        if name != base:
            svg = plots.differences_plot(values - table[names.index(base)], primary)
            yield Figure(f"wins-{name}.svg", f"{name} against {base}, by query", svg)


def _cost(results: Results) -> Figure:
    measure = cost_measure(results.experiment)
    rows = [
        (one.name, one.cost.wall, one.spread.mean, one.spread.low, one.spread.high)
        for one in results.indexes
    ]
    file = f"{measure.replace('@', '')}-over-latency.svg"
    return Figure(file, f"{measure} over latency", plots.cost_plot(rows, measure))


def _tuning(tuned: Tuned, primary: str) -> Iterator[Figure]:
    for name, axis in tuned.axes.items():
        if len(axis) > 1:
            svg = plots.axis_plot(name, axis, primary)
            yield Figure(f"over-{name}.svg", f"{primary} over {name}", svg)
    for name, samples in tuned.samples.items():
        svg = plots.scatter_plot(name, samples, primary)
        yield Figure(f"over-{name}.svg", f"{primary} over {name}", svg)
    if tuned.pair is not None:
        (first, second), _, _ = tuned.pair
        caption = f"{primary} over {first} and {second}"
        yield Figure("pair.svg", caption, plots.heat_map(*tuned.pair))
