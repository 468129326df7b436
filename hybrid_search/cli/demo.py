"""``hybrid-search demo``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from hybrid_search.api.schemas.ingest import ingest_report_to_json
from hybrid_search.api.schemas.results import answer_to_json
from hybrid_search.cli.hits_table import print_answer
from hybrid_search.cli.ingest_paths import ingest_paths, print_report
from hybrid_search.cli.measures_table import print_measures
from hybrid_search.cli.options import DataDir, Json, Port
from hybrid_search.cli.progress import progress_bar
from hybrid_search.cli.read_only_index import open_to_read
from hybrid_search.cli.service import serve_folder
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.core import AssetId, Example, Query
from hybrid_search.core.errors import InvalidInput
from hybrid_search.engine.index import Index
from hybrid_search.relevance.evaluation import evaluate, read_queries
from hybrid_search.settings.settings import Settings, load_settings

SHOWN = 5
_LIKE = AssetId("bada-crab-square")
SEARCHES = {
    'An exact phrase and a word: "half price" swimsuit': Query('"half price" swimsuit'),
    "Korean, with particles and compounds: 강아지 여름간식": Query("강아지 여름간식"),
    f"Looks like {_LIKE}": Query(examples=(Example(id=_LIKE),)),
}


def command(
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Exit after the searches.")] = False,
    port: Port = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Index, search and evaluate the demonstration ads, then serve them."""
    settings = load_settings(data_dir or Path("hybrid-search-demo"))
    _show(settings, json=json)
    if not no_serve:
        serve_folder(settings, {"port": port}, read_only=False, json=json)


def fixtures() -> Path:
    """The folder of the demonstration ads: in the package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "fixtures", package.parent / "fixtures"):
        if (folder / "assets.jsonl").is_file():
            return folder
    raise InvalidInput(
        "demo: this installation has no demonstration ads; install it from a wheel or a checkout"
    )


def _show(settings: Settings, *, json: bool) -> None:
    folder = fixtures()
    report = ingest_paths(settings, [folder / "assets.jsonl"], quiet=json)
    shown: dict[str, Any] = {"ingest": ingest_report_to_json(report)}
    if not json:
        print_report(report)
    with open_to_read(settings) as index:
        index.warm_up()
        shown["searches"] = {
            title: _search(index, title, query, json=json) for title, query in SEARCHES.items()
        }
        shown["evaluation"] = _evaluate(index, folder, json=json)
    if json:
        print_json(shown)


def _search(index: Index, title: str, query: Query, *, json: bool) -> Any:
    answer = index.search(replace(query, size=SHOWN, explain=True))
    if not json:
        console.rule(title, align="left")
        print_answer(answer, explain=True)
    return answer_to_json(answer)


def _evaluate(index: Index, folder: Path, *, json: bool) -> Any:
    tests = list(read_queries(folder / "queries.jsonl", index.settings.fusion.settings()))
    with progress_bar(quiet=json) as bar:
        task = bar.add_task("judged queries", total=len(tests))
        types = evaluate(
            index.searcher,
            tests,
            folder / "qrels.txt",
            lambda: bar.advance(task),
        )
    if not json:
        print_measures(types, "hybrid")
    return types
