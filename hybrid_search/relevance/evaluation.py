"""Evaluation of searches over judged queries, with ir_measures.

Queries are JSONL (``qid``, ``type``, ``text`` or ``image``, ``scope``); judgments are TREC qrels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import ir_measures
from ir_measures import RR, P, Qrel, ScoredDoc, nDCG
from pydantic import BaseModel, Field

from hybrid_search.core import Asset, Example, FusionSettings, Query
from hybrid_search.core.errors import InvalidInput
from hybrid_search.core.json_input import parse_model, read_json
from hybrid_search.search.searcher import Searcher

CUTS = (1, 5, 10)
MEASURES = {"MRR@10": RR @ 10, "nDCG@10": nDCG @ 10}
DEPTH = 200
"""Requested hits: enough that ten remain after hits of other sources are dropped."""


@dataclass(frozen=True, slots=True)
class TestQuery:
    """A query with its type and the source whose hits count (``all`` for every source)."""

    qid: str
    type: str
    scope: str
    query: Query


class QueryLine(BaseModel):
    """A line of a query file; other keys are ignored."""

    qid: Annotated[str, Field(min_length=1)]
    type: Annotated[str, Field(min_length=1)]
    text: str = ""
    image: str | None = None
    scope: str = "all"


def read_queries(path: Path, settings: FusionSettings) -> Iterator[TestQuery]:
    """The queries of a JSONL file; paths of pictures are relative to the file.

    Raises ``InvalidInput`` with the number of the wrong line.
    """
    if not path.is_file():
        raise InvalidInput(f"queries: no file at {path}")
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            data = parse_model(QueryLine, read_json(line, InvalidInput), InvalidInput)
            yield _test_query(data, path.parent, settings)
        except (InvalidInput, OSError) as failure:
            raise InvalidInput(f"queries: {path.name} line {number}: {failure}") from None


def _test_query(line: QueryLine, folder: Path, settings: FusionSettings) -> TestQuery:
    examples: tuple[Example, ...] = ()
    if line.image is not None:
        examples = (Example(picture=(folder / line.image).read_bytes()),)
    query = Query(line.text, examples, size=DEPTH, fusion=settings)
    return TestQuery(line.qid, line.type, line.scope, query)


def evaluate(
    searcher: Searcher,
    queries: list[TestQuery],
    qrels: Path,
    progress: Callable[[], None] | None = None,
) -> dict[str, dict[str, float]]:
    """Each measure by query type and over ``all``, with the number of queries as ``n``.

    A judged query without hits counts as 0. Hits outside a query's ``scope`` are dropped first.
    """
    judged = _read_qrels(qrels)
    run: list[ScoredDoc] = []
    for query in queries:
        hits = searcher.search(query.query).hits
        run += _ranked(query, (hit.stored.asset for hit in hits))
        if progress is not None:
            progress()
    return _by_type(queries, judged, run)


def _by_type(
    queries: list[TestQuery], judged: list[Qrel], run: list[ScoredDoc]
) -> dict[str, dict[str, float]]:
    types = dict.fromkeys(query.type for query in queries)
    by_type = {
        kind: _scores([q.qid for q in queries if q.type == kind], judged, run) for kind in types
    }
    return {**by_type, "all": _scores([query.qid for query in queries], judged, run)}


def read_judgments(path: Path) -> dict[str, dict[str, int]]:
    """Grades by qid and asset id, from TREC qrels; raises ``InvalidInput``."""
    found: dict[str, dict[str, int]] = {}
    for judgment in _read_qrels(path):
        found.setdefault(judgment.query_id, {})[judgment.doc_id] = judgment.relevance
    return found


def _read_qrels(path: Path) -> list[Qrel]:
    if not path.is_file():
        raise InvalidInput(f"qrels: no file at {path}")
    try:
        return list(ir_measures.read_trec_qrels(str(path)))  # type: ignore[no-untyped-call]  # the library has no types
    except (ValueError, UnicodeDecodeError) as failure:
        raise InvalidInput(f"qrels: {path.name} is not TREC qrels, {failure}") from None


def _ranked(test: TestQuery, assets: Iterable[Asset]) -> Iterator[ScoredDoc]:
    """The hits in scope, scored by rank so that ties keep the served order."""
    kept = [asset for asset in assets if test.scope in {"all", asset.source}]
    for place, asset in enumerate(kept):
        yield ScoredDoc(test.qid, asset.id, float(-place))


def _scores(qids: list[str], judged: list[Qrel], run: list[ScoredDoc]) -> dict[str, float]:
    wanted = set(qids)
    qrels = [judgment for judgment in judged if judgment.query_id in wanted]
    ranked = [document for document in run if document.query_id in wanted]
    found = ir_measures.calc_aggregate(list(MEASURES.values()), qrels, ranked)
    values = {name: round(float(found[measure]), 4) for name, measure in MEASURES.items()}
    return {"n": len(wanted), **_recalls(qrels, ranked), **values}


def _recalls(qrels: list[Qrel], ranked: list[ScoredDoc]) -> dict[str, float]:
    """Mean recall at each cut, capped at the number of relevant assets that fit in the cut.

    Ten hits hold at most 10 of 40 relevant assets, so plain recall could not exceed .25. Capped
    as in BEIR (Thakur et al., 2021): precision * cut / min(cut, relevant).
    """
    relevant = Counter(judgment.query_id for judgment in qrels if judgment.relevance > 0)
    # ir_measures gives no value for a query without hits: it stays at 0.
    hits = {(query, cut): 0.0 for query in relevant for cut in CUTS}
    for found in ir_measures.iter_calc([P @ cut for cut in CUTS], qrels, ranked):
        hits[found.query_id, found.measure["cutoff"]] = found.value * found.measure["cutoff"]
    return {
        f"R@{cut}": round(
            sum(hits[query, cut] / min(cut, count) for query, count in relevant.items())
            / max(1, len(relevant)),
            4,
        )
        for cut in CUTS
    }
