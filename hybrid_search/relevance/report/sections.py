"""What a report says of an experiment's results, section by section."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Sequence

from PIL import Image

from hybrid_search.images.decode import shrink
from hybrid_search.relevance.experiment import Value
from hybrid_search.relevance.report.formats import Ad, Loss, Section
from hybrid_search.relevance.report.settings_snippet import (
    as_challenger,
    as_cut_offs,
    as_settings,
)
from hybrid_search.relevance.runner import Compared, Indexed, Results, over_cost
from hybrid_search.relevance.statistics import spread
from hybrid_search.relevance.tuning.tuner import Lost, Tuned

PictureOf = Callable[[str], bytes | None]
"""The picture of the ad with that id, in any format; ``None`` without one."""
_SIDE = 112


def told(results: Results, picture_of: PictureOf) -> Iterator[Section]:
    """The sections of the report, in their order."""
    primary = results.experiment.measures[0]
    yield _configurations(results)
    types = list(dict.fromkeys(test.type for test in results.queries))
    yield Section(
        f"{primary} by type of query",
        head=("type", *(one.name for one in results.compared)),
        rows=[(kind, *(f"{one.by_type[kind]:.3f}" for one in results.compared)) for kind in types],
    )
    if results.indexes:
        yield _indexes(results)
    if results.tuned is not None:
        yield _tuning(results, results.tuned)
        yield _worse(results.tuned, picture_of)
    if results.cut_offs:
        yield _cut_offs(results)


def _configurations(results: Results) -> Section:
    experiment, primary = results.experiment, results.experiment.measures[0]
    counted = f"{len(results.queries)} judged queries, {results.settings_tried:,} settings."
    return Section(
        "Configurations",
        f"{counted} Differences of {primary} are against {experiment.base_name}, with 95 %"
        " intervals by bootstrap over queries; p by a paired randomization test, corrected after"
        " Holm.",
        head=("configuration", *experiment.measures, "difference", "p", "won", "lost"),
        rows=[_compared(one, experiment.measures) for one in results.compared],
        figures=_plots(results),
    )


def _compared(one: Compared, measures: Sequence[str]) -> tuple[str, ...]:
    means = tuple(f"{one.means[measure]:.3f}" for measure in measures)
    if one.difference is None:
        return (one.name, *means, "", "", "", "")
    counts = (str(one.difference.wins), str(one.difference.losses))
    return (one.name, *means, spread(one.difference), f"{one.corrected:.4f}", *counts)


def _indexes(results: Results) -> Section:
    primary = results.experiment.measures[0]
    base = results.indexes[0].name
    return Section(
        "Indexes",
        f"The same assets in other indexes, fused as {results.experiment.base_name} is. Differences"
        f" of {primary} are against {base}. Milliseconds are of looking for candidates, one"
        " query after the other, texts and pictures encoded: the median, the 95th percentile, and"
        " the median of CPU time.",
        head=("index", *results.experiment.measures, "difference", "ms", "p95", "CPU ms"),
        rows=[_index(one, results.experiment.measures) for one in results.indexes],
        figures=_cost_plot(results),
    )


def _index(one: Indexed, measures: Sequence[str]) -> tuple[str, ...]:
    means = tuple(f"{one.means[measure]:.3f}" for measure in measures)
    difference = "" if one.difference is None else spread(one.difference)
    cost = (f"{one.cost.wall:.2f}", f"{one.cost.wall_p95:.2f}", f"{one.cost.cpu:.2f}")
    return (one.name, *means, difference, *cost)


def _tuning(results: Results, tuned: Tuned) -> Section:
    primary, difference = results.experiment.measures[0], tuned.difference
    point = ", ".join(f"{name} = {_value(value)}" for name, value in tuned.point.items())
    ready = as_settings(results, tuned) + as_challenger(results, tuned)
    return Section(
        "Tuning",
        f"Chosen on one half of the queries of each type: {point or 'the base'}, {primary}"
        f" {tuned.chosen_at:.4f} there. On the other half ({difference.queries} queries):"
        f" {tuned.mean:.4f} against {tuned.base_mean:.4f}, {spread(difference)},"
        f" p {difference.p:.4f}; {difference.wins} won, {difference.losses} lost.",
        advice=tuned.advice,
        settings=ready if tuned.point else "",
        head=("type", "queries", "difference", "won", "lost"),
        rows=[
            (kind, str(one.queries), spread(one), str(one.wins), str(one.losses))
            for kind, one in tuned.by_type.items()
        ],
        figures=_tuning_plots(tuned, primary),
    )


def _worse(tuned: Tuned, picture_of: PictureOf) -> Section:
    return Section(
        "Queries that got worse",
        "Of the half that nothing was chosen on, those that lost most, and what they are answered"
        " with first.",
        head=("query", "type", "words", "base", "tuned"),
        rows=[
            (one.test.qid, one.test.type, _words(one), f"{one.base:.3f}", f"{one.tuned:.3f}")
            for one in tuned.worse
        ],
        losses=[_loss(one, picture_of) for one in tuned.worse],
    )


def _words(one: Lost) -> str:
    return one.test.query.text or "a picture"


def _loss(one: Lost, picture_of: PictureOf) -> Loss:
    asked = next((e.picture for e in one.test.query.examples if e.picture is not None), None)
    strips = {f"base {one.base:.3f}": one.before, f"tuned {one.tuned:.3f}": one.after}
    return Loss(
        f"{_words(one)} ({one.test.type}, {one.test.qid})",
        None if asked is None else _small(asked),
        {
            name: [Ad(asset, grade, _small(picture_of(asset))) for asset, grade in hits]
            for name, hits in strips.items()
        },
    )


def _small(picture: bytes | None) -> str | None:
    """The picture as a data URI."""
    if picture is None:
        return None
    with Image.open(io.BytesIO(picture)) as opened:
        data = shrink(opened.convert("RGBA"), _SIDE)
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}"


def _cut_offs(results: Results) -> Section:
    share = f"{results.experiment.refused:.0%}"
    whole = "; ".join(
        f"{name} {one.refused_wrongly:.1%} of {one.answered} that some list answers and"
        f" {one.refused_rightly:.1%} of {one.unanswered} others"
        for name, one in results.refusals.items()
    )
    return Section(
        "No good match",
        f"For each list the cut-off that refuses {share} of the queries it answers, chosen on one"
        " half; what it refuses on the other. A list answers a query with a relevant ad among its"
        f" first ten. A search is no good match where no list reaches its own: {whole}.",
        settings=as_cut_offs(results.cut_offs),
        head=("list", "by", "cut-off", "answered", "refused wrongly", "unanswered", "rightly"),
        rows=[
            (
                *(one.list, one.by, f"{one.value:.4f}", str(one.answered)),
                *(f"{one.refused_wrongly:.1%}", str(one.unanswered), f"{one.refused_rightly:.1%}"),
            )
            for one in results.cut_offs
        ],
    )


def _value(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _plots(results: Results) -> dict[str, str]:
    """None without matplotlib: the tables say the same."""
    try:
        from hybrid_search.relevance.report import plots  # noqa: PLC0415  an extra
    except ImportError:
        return {}
    primary = results.experiment.measures[0]
    names = [one.name for one in results.compared]
    means = {one.name: one.means[primary] for one in results.compared}
    drawn = {"configurations.svg": plots.bars_plot(means, primary)}
    table, base = results.values[primary], names.index(results.experiment.base_name)
    for at, name in enumerate(names):
        if at != base:
            title = f"{name} against {names[base]}"
            drawn[f"wins-{name}.svg"] = plots.wins_plot(table[at], table[base], primary, title)
    return drawn


def _cost_plot(results: Results) -> dict[str, str]:
    try:
        from hybrid_search.relevance.report import plots  # noqa: PLC0415  an extra
    except ImportError:
        return {}
    measure = over_cost(results.experiment)
    rows = [
        (one.name, one.cost.wall, one.spread.mean, one.spread.low, one.spread.high)
        for one in results.indexes
    ]
    return {f"{measure.replace('@', '')}-over-latency.svg": plots.cost_plot(rows, measure)}


def _tuning_plots(tuned: Tuned, primary: str) -> dict[str, str]:
    try:
        from hybrid_search.relevance.report import plots  # noqa: PLC0415  an extra
    except ImportError:
        return {}
    drawn = {
        f"over-{name}.svg": plots.axis_plot(name, rows, primary)
        for name, rows in tuned.axes.items()
        if len(rows) > 1
    }
    drawn |= {
        f"over-{name}.svg": plots.scatter_plot(name, rows, primary)
        for name, rows in tuned.scattered.items()
    }
    return drawn | ({} if tuned.pair is None else {"pair.svg": plots.heat_map(*tuned.pair)})
