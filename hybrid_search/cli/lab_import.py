"""``hybrid-search lab import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.core.errors import InvalidInput
from hybrid_search.engine.judgments import GRADES, Judgment, Judgments, now
from hybrid_search.relevance.evaluation import read_judgments, read_queries
from hybrid_search.settings.settings import load_settings


def command(
    qrels: Annotated[Path, typer.Argument(help="Judgments, TREC qrels.")],
    queries: Annotated[Path, typer.Option("--queries", help="Their queries, JSONL.")],
    judge: Annotated[str, typer.Option("--judge", help="Who made them.")] = "import",
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Import judgments from TREC qrels.

    Grades above 3 count as 3; judgments of queries without words are skipped.
    """
    settings = load_settings(data_dir)
    tests = read_queries(queries, settings.fusion.settings())
    texts = {test.qid: test.query.text for test in tests if test.query.text}
    made = [
        Judgment(texts[qid], asset, min(max(grade, 0), GRADES[-1]), judge, qrels.name, now())
        for qid, grades in read_judgments(qrels).items()
        if qid in texts
        for asset, grade in grades.items()
    ]
    if not made:
        raise InvalidInput(f"qrels: {qrels.name} judges none of the text queries in {queries}")
    Judgments(settings.data_dir).add(made)
    if json:
        print_json({"judgments": len(made), "queries": len({one.query for one in made})})
    else:
        console.print(f"{len(made)} judgments imported", markup=False)
