"""``hybrid-search analyze``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from typing_extensions import TypedDict

from hybrid_search.analysis.analyzer import Term, analyse
from hybrid_search.analysis.factory import make_analyzer
from hybrid_search.analysis.normalize import normalise
from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.progress import progress_bar
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.core.errors import InvalidInput
from hybrid_search.engine.parts import scratch_index
from hybrid_search.relevance.analyzer_cases import read_cases, run_cases
from hybrid_search.settings.settings import Settings, load_settings


class TermJson(TypedDict):
    """An index term: its position, and the characters [start, end) of the text it stands for."""

    text: str
    position: int
    start: int
    end: int
    source: str


def command(
    text: Annotated[str | None, typer.Argument(help="A text to show the terms of.")] = None,
    cases: Annotated[
        Path | None, typer.Option("--cases", help="Matching cases to run instead, JSONL.")
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show the terms of a text, or run matching cases.

    Exits with 1 when a case fails.
    """
    settings = load_settings(data_dir)
    if (text is None) == (cases is None):
        raise InvalidInput("analyze: give either a text or --cases FILE")
    if text is not None:
        _show_terms(settings, text, json=json)
    elif cases is not None and not _show_cases(settings, cases, json=json):
        sys.exit(1)


def _show_terms(settings: Settings, text: str, *, json: bool) -> None:
    """Print the normalised text and the terms of both views."""
    analyzer = make_analyzer(settings)
    found = analyse(text, analyzer)
    views = {"exact": _terms(text, found.exact), "words": _terms(text, found.words)}
    if json:
        facts = {"analyzer": analyzer.fingerprint, "normalised": normalise(text).text}
        print_json({"text": text, **facts, **views})
        return
    console.print(f"analyzer    {analyzer.fingerprint}", markup=False)
    console.print(f"normalised  {normalise(text).text}", markup=False)
    for name, terms in views.items():
        console.print(_table(name, terms))


def _terms(text: str, terms: tuple[Term, ...]) -> list[TermJson]:
    return [
        {
            "text": term.text,
            "position": term.position,
            "start": term.start,
            "end": term.end,
            "source": text[term.start : term.end],
        }
        for term in terms
    ]


def _table(name: str, terms: list[TermJson]) -> Table:
    """One row a position: its terms, and the characters they stand for."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("position", "characters", "source", f"terms of the view {name!r}"):
        table.add_column(column, justify="right" if column == "position" else "left")
    places = dict.fromkeys((term["position"], term["start"], term["end"]) for term in terms)
    for position, start, end in places:
        here = [t for t in terms if (t["position"], t["start"], t["end"]) == (position, start, end)]
        texts = "  ".join(term["text"] for term in here)
        cells = (str(position), f"{start}-{end}", here[0]["source"], texts)
        table.add_row(*(escape(cell) for cell in cells))
    return table


def _show_cases(settings: Settings, path: Path, *, json: bool) -> bool:
    """Print the cases that fail; whether all passed."""
    cases = list(read_cases(path))
    with progress_bar(quiet=json) as bar:
        task = bar.add_task("cases", total=len(cases))
        report = run_cases(cases, lambda: scratch_index(settings), lambda: bar.advance(task))
    if json:
        print_json(report)
        return not report["misses"]
    for miss in report["misses"]:
        kind = "must match" if miss["match"] else "must not match"
        line = f"failed: {miss['mode']} {miss['query']!r} {kind} {miss['text']!r}"
        console.print(line, markup=False)
    console.print(f"{report['passed']} of {report['total']} cases passed")
    return not report["misses"]
