"""Judgments as ``queries.jsonl`` and ``qrels.txt``."""

from __future__ import annotations

from pathlib import Path

import orjson

from hybrid_search.engine.judgments import Judgment, as_qrels, qid_of
from hybrid_search.files.atomic_files import make_folder, write_atomically


def write_judgments(folder: Path, judgments: list[Judgment], kind: str) -> int:
    """Write both files to the folder, with ``kind`` as the queries' type; the number of queries."""
    make_folder(folder)
    queries = list(dict.fromkeys(one.query for one in judgments))
    lines = [{"qid": qid_of(query), "type": kind, "text": query} for query in queries]
    write_atomically(
        folder / "queries.jsonl", b"".join(orjson.dumps(line) + b"\n" for line in lines)
    )
    write_atomically(folder / "qrels.txt", as_qrels(judgments).encode())
    return len(queries)
