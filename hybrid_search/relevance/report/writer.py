"""Writes the results folder of an experiment: HTML, Markdown, JSON, CSV, TREC runs and plots."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from hybrid_search.files.atomic_files import write_atomically
from hybrid_search.relevance.report.formats import Figure, as_html, as_markdown
from hybrid_search.relevance.report.sections import PictureOf, report_sections
from hybrid_search.relevance.report.settings_snippet import as_settings
from hybrid_search.relevance.runner import Compared, Indexed, Results
from hybrid_search.relevance.tuning.tuner import Regression, Tuned


def write_report(results: Results, folder: Path, picture_of: PictureOf = lambda name: None) -> None:
    """Write the report to the folder; files of an earlier run are overwritten.

    ``picture_of`` gives the pictures for the hits of regressed queries.
    """
    sections = list(report_sections(results, picture_of, _figures(results)))
    name = results.experiment.name
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    for configuration, run in results.runs.items():
        _write(folder / "runs" / f"{configuration}.trec", _trec(configuration, run))
    for section in sections:
        for figure in section.figures:
            _write(folder / figure.file, figure.svg)
    _write(folder / "report.md", as_markdown(name, sections))
    _write(folder / "report.html", as_html(name, sections))
    _write(folder / "per_query.csv", _per_query(results))
    _write(folder / "results.json", orjson.dumps(as_json(results), option=orjson.OPT_INDENT_2))


def _figures(results: Results) -> Mapping[str, Sequence[Figure]]:
    """No figures without matplotlib; the tables hold the same values."""
    try:
        from hybrid_search.relevance.report.figures import (  # an extra
            report_figures,
        )
    except ImportError:
        return {}
    return report_figures(results)


def _write(path: Path, content: str | bytes) -> None:
    write_atomically(path, content.encode() if isinstance(content, str) else content)


def as_json(results: Results) -> dict[str, Any]:
    """The results as a JSON object; ``tuned`` is null without a grid."""
    return {
        "experiment": results.experiment.name,
        "queries": len(results.queries),
        "settings_tried": results.settings_tried,
        "measures": results.experiment.measures,
        "base": results.experiment.base_name,
        "configurations": [_compared(one) for one in results.compared],
        "indexes": [_indexed(one) for one in results.indexes],
        "cut_offs": [asdict(one) for one in results.cut_offs],
        "refusals": {name: asdict(one) for name, one in results.refusals.items()},
        "tuned": None if results.tuned is None else _tuned(results, results.tuned),
    }


def _compared(one: Compared) -> dict[str, Any]:
    return {
        "name": one.name,
        "means": one.means,
        "by_type": one.by_type,
        "difference": None if one.difference is None else asdict(one.difference),
        "corrected_p": one.corrected,
    }


def _indexed(one: Indexed) -> dict[str, Any]:
    return {
        "name": one.name,
        "means": one.means,
        "difference": None if one.difference is None else asdict(one.difference),
        "milliseconds": asdict(one.cost),
    }


def _tuned(results: Results, tuned: Tuned) -> dict[str, Any]:
    return {
        "point": tuned.point,
        "chosen_at": tuned.development_mean,
        "mean": tuned.mean,
        "base_mean": tuned.base_mean,
        "difference": asdict(tuned.difference),
        "by_type": {kind: asdict(one) for kind, one in tuned.by_type.items()},
        "worse": [_regression(one) for one in tuned.regressions],
        "advice": tuned.advice,
        "settings": as_settings(results, tuned),
    }


def _regression(one: Regression) -> dict[str, Any]:
    return {
        "qid": one.test.qid,
        "text": one.test.query.text,
        "base": one.base,
        "tuned": one.tuned,
        "before": one.before,
        "after": one.after,
    }


def _trec(name: str, run: Sequence[tuple[str, Sequence[str]]]) -> str:
    tag = name.replace(" ", "_")
    return "".join(
        f"{qid} Q0 {asset} {rank} {1.0 / rank:.6f} {tag}\n"
        for qid, ids in run
        for rank, asset in enumerate(ids, start=1)
    )


def _per_query(results: Results) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["qid", "type", "configuration", *results.experiment.measures])
    for at, one in enumerate(results.compared):
        for column, test in enumerate(results.queries):
            values = [f"{table[at, column]:.6f}" for table in results.values.values()]
            rows.writerow([test.qid, test.type, one.name, *values])
    return text.getvalue()
