"""The adverts that come with the program: indexed, searched and measured before one's eyes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from hybrid_search.api.schemas.results import answer_to_json
from hybrid_search.cli.ingest import ingest_paths
from hybrid_search.cli.tables import (
    console,
    print_answer,
    print_json,
    print_measures,
    print_report,
    progress_bar,
)
from hybrid_search.core import AssetId, Example, Query
from hybrid_search.core.errors import InvalidInput
from hybrid_search.engine.engine import Engine
from hybrid_search.engine.factory import open_engine
from hybrid_search.relevance.evaluation import evaluate, read_queries
from hybrid_search.settings.settings import Settings

SHOWN = 5
_LIKE = AssetId("bada-crab-square")
SEARCHES = {
    'An exact phrase and a word: "half price" swimsuit': Query('"half price" swimsuit'),
    "Korean, with particles and compounds: 강아지 여름간식": Query("강아지 여름간식"),
    f"Looks like {_LIKE}": Query(examples=(Example(id=_LIKE),)),
}


def fixtures() -> Path:
    """The folder of the demonstration adverts: in the package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "fixtures", package.parent / "fixtures"):
        if (folder / "assets.jsonl").is_file():
            return folder
    raise InvalidInput("demo: the demonstration adverts are missing from this installation")


def show_demo(settings: Settings, *, json: bool) -> None:
    """Ingest, a text search, a Korean search, a looks-like search, and an evaluation."""
    folder = fixtures()
    report = ingest_paths(settings, [folder / "assets.jsonl"], quiet=json)
    shown: dict[str, Any] = {"ingest": report.as_json()}
    if not json:
        print_report(report)
    with open_engine(settings) as engine:
        engine.warm_up()
        shown["searches"] = {
            title: _search(engine, title, query, json=json) for title, query in SEARCHES.items()
        }
        shown["evaluation"] = _evaluate(engine, folder, json=json)
    if json:
        print_json(shown)


def _search(engine: Engine, title: str, query: Query, *, json: bool) -> Any:
    answer = engine.searcher.search(replace(query, size=SHOWN, explain=True))
    if not json:
        console.rule(title, align="left")
        print_answer(answer, explain=True)
    return answer_to_json(answer)


def _evaluate(engine: Engine, folder: Path, *, json: bool) -> Any:
    tests = list(read_queries(folder / "queries.jsonl", engine.settings.fusion.settings()))
    with progress_bar(quiet=json) as bar:
        task = bar.add_task("judged queries", total=len(tests))
        types = evaluate(
            engine.searcher,
            engine.catalog,
            tests,
            folder / "qrels.txt",
            lambda: bar.advance(task),
        )
    if not json:
        print_measures(types, "hybrid")
    return types
