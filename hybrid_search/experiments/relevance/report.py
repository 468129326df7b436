"""An experiment's results as a folder: a report in HTML and Markdown, runs, values, JSON."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from hybrid_search.durable import write_whole
from hybrid_search.experiments.relevance.running import Compared, Results, Tuned
from hybrid_search.experiments.relevance.statistics import Difference
from hybrid_search.records import FusionSettings

_STYLE = """
body { font: 16px/1.55 system-ui, "Noto Sans KR", sans-serif; max-width: 960px; margin: 2.5rem auto;
  padding: 0 1rem; color: #17181b; }
h2 { margin-top: 2.2rem; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem .3rem 0; text-align: left; border-bottom: 1px solid #dcdcd5; }
p.advice { padding: .8rem 1rem; background: #eef2ff; border-radius: 8px; font-weight: 600; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(400px, 1fr)); gap: 1rem; }
figure { margin: 1rem 0 0; } figcaption { font-weight: 600; } svg { max-width: 100%; height: auto; }
"""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it."""

    title: str
    text: str = ""
    advice: str = ""
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    figures: Mapping[str, str] | None = None
    """SVG by file name."""


def write_report(results: Results, folder: Path) -> None:
    """Fill the folder; what lies there from another run is overwritten."""
    sections = list(_sections(results))
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    for name, run in results.runs.items():
        _write(folder / "runs" / f"{name}.trec", _trec(name, run))
    for section in sections:
        for name, drawn in (section.figures or {}).items():
            _write(folder / name, drawn)
    _write(folder / "report.md", as_markdown(results.experiment.name, sections))
    _write(folder / "report.html", as_html(results.experiment.name, sections))
    _write(folder / "per_query.csv", _per_query(results))
    _write(folder / "results.json", orjson.dumps(as_json(results), option=orjson.OPT_INDENT_2))


def _write(path: Path, content: str | bytes) -> None:
    write_whole(path, content.encode() if isinstance(content, str) else content)


def as_json(results: Results) -> dict[str, Any]:
    """All figures, for programs; ``tuned`` is null without a grid."""
    return {
        "experiment": results.experiment.name,
        "queries": len(results.queries),
        "settings_tried": results.settings_tried,
        "measures": results.experiment.measures,
        "base": results.experiment.base_name,
        "configurations": [_compared_json(one) for one in results.compared],
        "cut_offs": [asdict(one) for one in results.cut_offs],
        "tuned": None if results.tuned is None else _tuned_json(results.tuned),
    }


def _compared_json(one: Compared) -> dict[str, Any]:
    return {
        "name": one.name,
        "means": one.means,
        "by_type": one.by_type,
        "difference": None if one.difference is None else asdict(one.difference),
        "corrected_p": one.corrected,
    }


def _tuned_json(tuned: Tuned) -> dict[str, Any]:
    return {
        "point": tuned.point,
        "chosen_at": tuned.chosen_at,
        "mean": tuned.mean,
        "base_mean": tuned.base_mean,
        "difference": asdict(tuned.difference),
        "by_type": {kind: asdict(one) for kind, one in tuned.by_type.items()},
        "worse": [
            {"qid": test.qid, "text": test.query.text, "base": base, "tuned": own}
            for test, base, own in tuned.worse
        ],
        "advice": tuned.advice,
        "settings": as_settings(tuned.settings),
    }


def as_settings(settings: FusionSettings) -> str:
    """The lines of ``hybrid_search.toml`` that set them."""
    head = f'[fusion]\nmethod = "{settings.method}"\nrank_constant = {settings.rank_constant:g}\n'
    lists = (
        f"\n[fusion.{name}]\nweight = {part.weight:g}\n" for name, part in settings.lists.items()
    )
    return head + "".join(lists)


def _sections(results: Results) -> Iterator[Section]:
    experiment, primary = results.experiment, results.experiment.measures[0]
    types = list(dict.fromkeys(test.type for test in results.queries))
    told = f"{len(results.queries)} judged queries, {results.settings_tried:,} settings of fusion."
    yield Section(
        "Configurations",
        f"{told} Differences of {primary} are against {experiment.base_name}, with 95 % intervals"
        " by bootstrap over queries; p by a paired randomization test, corrected after Holm.",
        head=("configuration", *experiment.measures, "difference", "p", "won", "lost"),
        rows=[_compared_row(one, experiment.measures) for one in results.compared],
        figures=_plots(results),
    )
    yield Section(
        f"{primary} by type of query",
        head=("type", *(one.name for one in results.compared)),
        rows=[(kind, *(f"{one.by_type[kind]:.3f}" for one in results.compared)) for kind in types],
    )
    if results.tuned is not None:
        yield from _tuned_sections(results.tuned, primary)
    if results.cut_offs:
        yield _cut_off_section(results)


def _cut_off_section(results: Results) -> Section:
    share = f"{results.experiment.refused:.0%}"
    return Section(
        "No good match",
        f"For each list the cut-off that refuses {share} of the queries it answers, chosen on one"
        " half; what it refuses on the other. A list answers a query with a relevant ad among its"
        " first ten.",
        head=("list", "by", "cut-off", "answered", "refused wrongly", "unanswered", "rightly"),
        rows=[
            (
                *(one.list, one.by, f"{one.value:.4f}", str(one.answered)),
                *(f"{one.refused_wrongly:.1%}", str(one.unanswered), f"{one.refused_rightly:.1%}"),
            )
            for one in results.cut_offs
        ],
    )


def _compared_row(one: Compared, measures: Sequence[str]) -> tuple[str, ...]:
    means = tuple(f"{one.means[measure]:.3f}" for measure in measures)
    if one.difference is None:
        return (one.name, *means, "", "", "", "")
    counts = (str(one.difference.wins), str(one.difference.losses))
    return (one.name, *means, _told(one.difference), f"{one.corrected:.4f}", *counts)


def _told(difference: Difference) -> str:
    return f"{difference.mean:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"


def _tuned_sections(tuned: Tuned, primary: str) -> Iterator[Section]:
    point = ", ".join(f"{name} = {_value(value)}" for name, value in tuned.point.items())
    difference = tuned.difference
    yield Section(
        "Tuning",
        f"Chosen on one half of the queries of each type: {point or 'the base'}, {primary}"
        f" {tuned.chosen_at:.4f} there. On the other half ({difference.queries} queries):"
        f" {tuned.mean:.4f} against {tuned.base_mean:.4f}, {_told(difference)},"
        f" p {difference.p:.4f}; {difference.wins} won, {difference.losses} lost.",
        advice=tuned.advice,
        head=("type", "queries", "difference", "won", "lost"),
        rows=[
            (kind, str(one.queries), _told(one), str(one.wins), str(one.losses))
            for kind, one in tuned.by_type.items()
        ],
        figures=_axis_plots(tuned, primary),
    )
    yield Section(
        "Queries that got worse",
        "Of the half that nothing was chosen on, those that lost most.",
        head=("query", "type", "words", "base", "tuned"),
        rows=[
            (t.qid, t.type, t.query.text or "a picture", f"{base:.3f}", f"{own:.3f}")
            for t, base, own in tuned.worse
        ],
    )


def _value(value: float | str) -> str:
    return f"{value:g}" if isinstance(value, float) else value


def _plots(results: Results) -> dict[str, str]:
    """None without matplotlib: the tables say the same."""
    try:
        from hybrid_search.experiments.relevance import plots  # noqa: PLC0415  an extra
    except ImportError:
        return {}
    primary = results.experiment.measures[0]
    names = [one.name for one in results.compared]
    means = {one.name: one.means[primary] for one in results.compared}
    drawn = {"configurations.svg": plots.bars_plot(means, primary)}
    table, base = results.values[primary], names.index(results.experiment.base_name)
    for at, name in enumerate(names):
        if at != base:
            drawn[f"wins-{name}.svg"] = plots.wins_plot(table[at], table[base], primary)
    return drawn


def _axis_plots(tuned: Tuned, primary: str) -> dict[str, str]:
    try:
        from hybrid_search.experiments.relevance import plots  # noqa: PLC0415  an extra
    except ImportError:
        return {}
    drawn = {
        f"over-{name}.svg": plots.axis_plot(name, rows, primary)
        for name, rows in tuned.axes.items()
        if len(rows) > 1
    }
    return drawn | ({} if tuned.pair is None else {"pair.svg": plots.heat_map(*tuned.pair)})


def as_markdown(title: str, sections: Sequence[Section]) -> str:
    """The report for a terminal or a repository; figures are linked."""
    lines = [f"# {_plain(title)}", ""]
    for section in sections:
        lines += [f"## {_plain(section.title)}", ""]
        lines += [f"**{_plain(section.advice)}**", ""] if section.advice else []
        lines += [_plain(section.text), ""] if section.text else []
        if section.rows:
            rows = [section.head, ["---"] * len(section.head), *section.rows]
            lines += [f"| {' | '.join(map(_plain, row))} |" for row in rows] + [""]
        lines += [f"![{name}]({name.replace(' ', '%20')})" for name in section.figures or {}] + [""]
    return "\n".join(lines)


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def as_html(title: str, sections: Sequence[Section]) -> str:
    """The report in one file, its figures inside."""
    parts = [f"<h1>{html.escape(title)}</h1>"]
    for section in sections:
        parts.append(f"<section><h2>{html.escape(section.title)}</h2>")
        if section.advice:
            parts.append(f'<p class="advice">{html.escape(section.advice)}</p>')
        if section.text:
            parts.append(f"<p>{html.escape(section.text)}</p>")
        if section.rows:
            parts.append(_html_table(section))
        if section.figures:
            shown = "".join(_html_figure(*figure) for figure in section.figures.items())
            parts.append(f'<div class="figures">{shown}</div>')
        parts.append("</section>")
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{_STYLE}</style>'
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def _html_figure(name: str, drawn: str) -> str:
    caption = html.escape(Path(name).stem.replace("-", " ", 1))
    return f"<figure><figcaption>{caption}</figcaption>{drawn[drawn.index('<svg') :]}</figure>"


def _html_table(section: Section) -> str:
    head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in section.head)
    rows = (
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in section.rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _trec(name: str, run: Sequence[tuple[str, Sequence[str]]]) -> str:
    tag = name.replace(" ", "_")
    return "".join(
        f"{qid} Q0 {asset} {rank} {1.0 / rank:.6f} {tag}\n"
        for qid, ids in run
        for rank, asset in enumerate(ids, start=1)
    )


def _per_query(results: Results) -> str:
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(["qid", "type", "configuration", *results.experiment.measures])
    for at, one in enumerate(results.compared):
        for column, test in enumerate(results.queries):
            values = [f"{table[at, column]:.6f}" for table in results.values.values()]
            rows.writerow([test.qid, test.type, one.name, *values])
    return written.getvalue()
