"""The sections of an experiment's report."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Mapping, Sequence

from PIL import Image

from hybrid_search.images.decode import shrink
from hybrid_search.relevance.experiment import Value
from hybrid_search.relevance.report.formats import Ad, Comparison, Figure, Section
from hybrid_search.relevance.report.settings_snippet import (
    as_challenger,
    as_cut_offs,
    as_settings,
)
from hybrid_search.relevance.runner import Compared, Indexed, Results
from hybrid_search.relevance.statistics import spread
from hybrid_search.relevance.tuning.cutoffs import DEPTH
from hybrid_search.relevance.tuning.tuner import Regression, Tuned

PictureOf = Callable[[str], bytes | None]
"""The encoded picture of the asset with that id; ``None`` without one."""
_THUMBNAIL = 112


def report_sections(
    results: Results, picture_of: PictureOf, figures: Mapping[str, Sequence[Figure]]
) -> Iterator[Section]:
    """The sections in report order; those without content are left out."""
    primary = results.experiment.measures[0]
    yield _configurations(results, figures.get("configurations", ()))
    types = list(dict.fromkeys(test.type for test in results.queries))
    yield Section(
        f"{primary} by query type",
        head=("type", *(one.name for one in results.compared)),
        rows=[(kind, *(f"{one.by_type[kind]:.3f}" for one in results.compared)) for kind in types],
    )
    if results.indexes:
        yield _indexes(results, figures.get("indexes", ()))
    if results.tuned is not None:
        yield _tuning(results, results.tuned, figures.get("tuning", ()))
        yield _regressions(results.tuned, picture_of)
    if results.cut_offs:
        yield _cut_offs(results)


def _configurations(results: Results, figures: Sequence[Figure]) -> Section:
    experiment, primary = results.experiment, results.experiment.measures[0]
    counts = f"{len(results.queries)} judged queries, {results.settings_tried:,} settings tried."
    return Section(
        "Configurations",
        f"{counts} Differences are in {primary} against {experiment.base_name}, with 95 % bootstrap"
        " intervals over queries. p is from a paired randomization test, with Holm's correction.",
        head=("configuration", *experiment.measures, "difference", "p", "better", "worse"),
        rows=[_compared(one, experiment.measures) for one in results.compared],
        figures=figures,
    )


def _compared(one: Compared, measures: Sequence[str]) -> tuple[str, ...]:
    means = tuple(f"{one.means[measure]:.3f}" for measure in measures)
    if one.difference is None:
        return (one.name, *means, "", "", "", "")
    counts = (str(one.difference.wins), str(one.difference.losses))
    return (one.name, *means, spread(one.difference), f"{one.corrected:.4f}", *counts)


def _indexes(results: Results, figures: Sequence[Figure]) -> Section:
    primary = results.experiment.measures[0]
    base = results.indexes[0].name
    return Section(
        "Indexes",
        f"The same assets in other indexes, fused as in {results.experiment.base_name}. Differences"
        f" are in {primary} against {base}. Milliseconds are the retrieval time of one query at a"
        " time, without encoding of texts and pictures: median, 95th percentile, and median CPU"
        " time.",
        head=("index", *results.experiment.measures, "difference", "ms", "p95", "CPU ms"),
        rows=[_index(one, results.experiment.measures) for one in results.indexes],
        figures=figures,
    )


def _index(one: Indexed, measures: Sequence[str]) -> tuple[str, ...]:
    means = tuple(f"{one.means[measure]:.3f}" for measure in measures)
    difference = "" if one.difference is None else spread(one.difference)
    cost = (f"{one.cost.wall:.2f}", f"{one.cost.wall_p95:.2f}", f"{one.cost.cpu:.2f}")
    return (one.name, *means, difference, *cost)


def _tuning(results: Results, tuned: Tuned, figures: Sequence[Figure]) -> Section:
    primary, difference = results.experiment.measures[0], tuned.difference
    point = ", ".join(f"{name} = {_value(value)}" for name, value in tuned.point.items())
    ready = as_settings(results, tuned) + as_challenger(results, tuned)
    return Section(
        "Tuning",
        f"Best on the development half: {point or 'the base'}, {primary}"
        f" {tuned.development_mean:.4f}. On the held-out half ({difference.queries} queries):"
        f" {tuned.mean:.4f} against {tuned.base_mean:.4f}, difference {spread(difference)},"
        f" p {difference.p:.4f}; {difference.wins} queries better, {difference.losses} worse.",
        advice=tuned.advice,
        settings=ready if tuned.point else "",
        head=("type", "queries", "difference", "better", "worse"),
        rows=[
            (kind, str(one.queries), spread(one), str(one.wins), str(one.losses))
            for kind, one in tuned.by_type.items()
        ],
        figures=figures,
    )


def _regressions(tuned: Tuned, picture_of: PictureOf) -> Section:
    return Section(
        "Regressions",
        "The held-out queries with the largest losses, and their first hits under both settings.",
        head=("query", "type", "text", "base", "tuned"),
        rows=[
            (one.test.qid, one.test.type, _text(one), f"{one.base:.3f}", f"{one.tuned:.3f}")
            for one in tuned.regressions
        ],
        comparisons=[_comparison(one, picture_of) for one in tuned.regressions],
    )


def _text(one: Regression) -> str:
    return one.test.query.text or "a picture"


def _comparison(one: Regression, picture_of: PictureOf) -> Comparison:
    pictures = (example.picture for example in one.test.query.examples)
    settings = {f"base {one.base:.3f}": one.before, f"tuned {one.tuned:.3f}": one.after}
    return Comparison(
        f"{_text(one)} ({one.test.type}, {one.test.qid})",
        _thumbnail(next((picture for picture in pictures if picture is not None), None)),
        {
            name: [Ad(asset, grade, _thumbnail(picture_of(asset))) for asset, grade in hits]
            for name, hits in settings.items()
        },
    )


def _thumbnail(picture: bytes | None) -> str | None:
    """The thumbnail as a data URI."""
    if picture is None:
        return None
    with Image.open(io.BytesIO(picture)) as opened:
        data = shrink(opened.convert("RGBA"), _THUMBNAIL)
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}"


def _cut_offs(results: Results) -> Section:
    share = f"{results.experiment.refused:.0%}"
    overall = "; ".join(
        f"{name}, {one.refused_wrongly:.1%} of the {one.answered} answered and"
        f" {one.refused_rightly:.1%} of the {one.unanswered} unanswered queries"
        for name, one in results.refusals.items()
    )
    return Section(
        "No good match",
        f"A list answers a query if one of its first {DEPTH} candidates is relevant. Each threshold"
        f" refuses at most {share} of the development queries that its list answers; the table"
        " shows what it refuses on the held-out half. A search reports no good match if no list"
        f" reaches its threshold. Queries refused with all thresholds: {overall}.",
        settings=as_cut_offs(results.cut_offs),
        head=(
            *("list", "by", "threshold", "answered", "refused wrongly"),
            *("unanswered", "refused rightly"),
        ),
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
