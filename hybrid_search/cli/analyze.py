"""What the analyser makes of a text, and whether matching cases come out, as tables."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.table import Table
from typing_extensions import TypedDict

from hybrid_search.analysis.analyzer import Term, analyse
from hybrid_search.analysis.normalize import normalise
from hybrid_search.cli.tables import console, print_json, progress_bar
from hybrid_search.engine.parts import make_analyzer, scratch_index
from hybrid_search.relevance.analyzer_cases import read_cases, run_cases
from hybrid_search.settings.settings import Settings


class TermJson(TypedDict):
    """An index term: its position, and the characters [start, end) it came from."""

    text: str
    position: int
    start: int
    end: int
    source: str


def show_analysis(settings: Settings, text: str, *, json: bool) -> None:
    """Print the normalised text and the terms of both views."""
    analyzer = make_analyzer(settings)
    found = analyse(text, analyzer)
    views = {"exact": _terms(text, found.exact), "words": _terms(text, found.words)}
    if json:
        told = {"analyzer": analyzer.fingerprint, "normalised": normalise(text).text}
        print_json({"text": text, **told, **views})
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
    """A row a position: the terms there, and where in the text they stand."""
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


def show_cases(settings: Settings, path: Path, *, json: bool) -> bool:
    """Print which cases miss; whether all came out."""
    cases = list(read_cases(path))
    with progress_bar(quiet=json) as bar:
        task = bar.add_task("cases", total=len(cases))
        report = run_cases(cases, lambda: scratch_index(settings), lambda: bar.advance(task))
    if json:
        print_json(report)
        return not report["misses"]
    for miss in report["misses"]:
        kind = "must match" if miss["match"] else "must not match"
        said = f"miss: {miss['mode']} {miss['query']!r} {kind} {miss['text']!r}"
        console.print(said, markup=False)
    console.print(f"{report['passed']} of {report['total']} cases passed")
    return not report["misses"]
