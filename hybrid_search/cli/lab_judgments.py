"""``hybrid-search lab export``, ``import`` and ``agreement``: judgments in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.table import Table

from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.tables import console, print_json
from hybrid_search.core.errors import InvalidInput
from hybrid_search.engine.judgments import (
    GRADES,
    Judgment,
    Judgments,
    agreements,
    as_qrels,
    now,
    qid_of,
)
from hybrid_search.files.atomic_files import make_folder, write_whole
from hybrid_search.relevance.evaluation import read_judgments, read_queries
from hybrid_search.settings.settings import load_settings


def export_judgments(
    folder: Annotated[Path, typer.Argument(help="Folder for queries.jsonl and qrels.txt.")],
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Write what was judged as files that eval and lab run take."""
    known = Judgments(load_settings(data_dir).data_dir).current()
    count = write_judged(folder, known, "judged")
    if json:
        print_json({"queries": count, "judgments": len(known), "folder": str(folder)})
    else:
        told = f"{len(known)} judgments of {count} queries: {folder / 'qrels.txt'}"
        console.print(told, markup=False, soft_wrap=True)


def write_judged(folder: Path, judgments: list[Judgment], kind: str) -> int:
    """Fill the folder's ``queries.jsonl`` and ``qrels.txt``; the number of queries."""
    make_folder(folder)
    queries = list(dict.fromkeys(one.query for one in judgments))
    lines = [{"qid": qid_of(query), "type": kind, "text": query} for query in queries]
    write_whole(folder / "queries.jsonl", b"".join(orjson.dumps(line) + b"\n" for line in lines))
    write_whole(folder / "qrels.txt", as_qrels(judgments).encode())
    return len(queries)


def import_judgments(
    qrels: Annotated[Path, typer.Argument(help="Judgments, TREC qrels.")],
    queries: Annotated[Path, typer.Option("--queries", help="Their queries, JSONL.")],
    judge: Annotated[str, typer.Option("--judge", help="Who made them.")] = "import",
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Take judgments over from files; grades above 3 count as 3."""
    settings = load_settings(data_dir)
    asked = read_queries(queries, settings.fusion.settings())
    texts = {test.qid: test.query.text for test in asked if test.query.text}
    made = [
        Judgment(texts[qid], asset, min(max(grade, 0), GRADES[-1]), judge, qrels.name, now())
        for qid, grades in read_judgments(qrels).items()
        if qid in texts
        for asset, grade in grades.items()
    ]
    if not made:
        raise InvalidInput(f"qrels: {qrels.name} judges none of the queries in words of {queries}")
    Judgments(settings.data_dir).add(made)
    if json:
        print_json({"judgments": len(made), "queries": len({one.query for one in made})})
    else:
        console.print(f"{len(made)} judgments taken over", markup=False)


def show_agreement(data_dir: DataDir = None, json: Json = False) -> None:
    """Show how far judges agree on what several have judged."""
    found = agreements(Judgments(load_settings(data_dir).data_dir).current())
    if json:
        rows = [(one.judges, one.pairs, one.same, one.kappa) for one in found]
        keys = ("judges", "pairs", "same", "kappa")
        print_json({"agreement": [dict(zip(keys, row, strict=True)) for row in rows]})
        return
    table = Table("judges", "pairs", "same grade", "weighted kappa", box=None)
    for one in found:
        table.add_row(
            " and ".join(one.judges), str(one.pairs), f"{one.same:.0%}", f"{one.kappa:.3f}"
        )
    console.print(table if found else "no two judges have judged the same")
