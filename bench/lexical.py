"""Measure lexical search beside raw Tantivy calls, SQLite FTS5 and bm25s.

One process; the same synthetic ads for all (8 to 64 words, a fifth of them Korean, frequencies by
Zipf's law) and the same queries, in shuffled blocks; CPU time of the calling thread.

    python bench/lexical.py --assets 10000 --assets 100000
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import bm25s
import numpy as np
import tantivy
from rich.console import Console
from rich.progress import track
from rich.table import Table

from hybrid_search.analysis.analyzer import stem
from hybrid_search.analysis.query_parser import parse_query
from hybrid_search.analysis.rules import RulesAnalyzer
from hybrid_search.analysis.surface_tokens import atoms, phrase_terms
from hybrid_search.core import Asset, AssetId, Ordinal, StoredAsset
from hybrid_search.search.text_search import TextSearch
from hybrid_search.stores.embedded.lexical.index import TantivyIndex

WORDS, TOKENS, BRANDS, BLOCK = 30_000, 36, 200, 20
SYLLABLES = "가나다라마바사아자차카타파하고노도로모보소오조초코토포호구누두루무부수우주추쿠투푸후"
LETTERS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z")

Ask = Callable[[str], int]
"""Runs a query and returns the number of hits."""


@dataclass
class Engine:
    """One engine: a function for each kind of query, and its build time."""

    name: str
    asks: dict[str, Ask]
    build_seconds: float


def main() -> None:
    options = arguments()
    reports = [run(assets, options.queries, options.seed) for assets in options.assets]
    print(json.dumps(reports, indent=2)) if options.json else show(reports)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=int, action="append", help="how many; repeatable")
    parser.add_argument("--queries", type=int, default=400, help="queries of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.assets = options.assets or [10_000]
    return options


def vocabulary(chance: random.Random) -> list[str]:
    """Return synthetic words by descending frequency, a fifth of them Korean."""
    words: dict[str, None] = {}
    while len(words) < WORDS:
        if chance.random() < 0.2:
            words["".join(chance.choices(SYLLABLES, k=chance.randint(2, 3)))] = None
        else:
            parts = (chance.choice(LETTERS) + chance.choice("aeiou") for _ in range(3))
            words["".join(parts) + chance.choice(LETTERS)] = None
    return list(words)


def corpus(count: int, seed: int) -> list[str]:
    """Return the texts of ``count`` ads."""
    chance = random.Random(seed)
    words = vocabulary(chance)
    drawn = np.random.default_rng(seed).zipf(1.15, size=(count, 2 * TOKENS)) % WORDS
    lengths = (chance.randint(8, 2 * TOKENS - 8) for _ in range(count))
    return [
        " ".join(words[place] for place in row[:length])
        for row, length in zip(drawn, lengths, strict=True)
    ]


def questions(texts: list[str], count: int, seed: int) -> dict[str, list[str]]:
    """Return queries with words from the ads; every phrase occurs in at least one."""
    chance = random.Random(seed + 1)
    asked: dict[str, list[str]] = {"keyword": [], "and": [], "phrase": [], "facet": []}
    for _ in range(count):
        words = chance.choice(texts).split()
        start = chance.randrange(len(words) - 1)
        asked["keyword"].append(chance.choice(words))
        asked["and"].append(" ".join(chance.sample(words, 2)))
        asked["phrase"].append(" ".join(words[start : start + 2]))
        asked["facet"].append(chance.choice(words))
    return asked


def run(count: int, queries: int, seed: int) -> dict[str, object]:
    texts = corpus(count, seed)
    asked = questions(texts, queries, seed)
    with tempfile.TemporaryDirectory() as folder:
        index = TantivyIndex(Path(folder) / "index", RulesAnalyzer())
        engines = [*ours(index, texts), fts5(texts), scored_matrix(texts)]
        rows = measure(engines, asked, random.Random(seed))
        index.close()
    builds = {engine.name: round(engine.build_seconds, 2) for engine in engines}
    return {"assets": count, "build_cpu_seconds": builds, "rows": rows}


def ours(index: TantivyIndex, texts: list[str]) -> Iterator[Engine]:
    """Yield this index through its port, and raw Tantivy calls on the same files."""
    started = time.process_time()
    for first in track(range(0, len(texts), 5000), "indexing"):
        part = list(enumerate(texts[first : first + 5000], start=first + 1))
        index.add(
            StoredAsset(
                Ordinal(number),
                Asset(AssetId(str(number)), body=text, brand=f"brand{number % BRANDS}"),
                None,
                "",
            )
            for number, text in part
        )
    index.commit(len(texts))
    search = TextSearch(index, RulesAnalyzer())
    yield Engine(
        "hybrid_search",
        {
            "keyword": lambda q: len(search.words(parse_query(q), 10).ordinals),
            "and": lambda q: len(search.words(parse_query(q), 10, require_all=True).ordinals),
            "phrase": lambda q: len(search.phrase(q, 10).ordinals),
            "facet": lambda q: len(search.facet("brand", parse_query(q), limit=20)),
        },
        time.process_time() - started,
    )
    yield Engine("raw Tantivy", raw(index), 0.0)


def raw(index: TantivyIndex) -> dict[str, Ask]:
    """The bare search call on ready queries: no analysis, no order of ties, no ordinals."""
    searcher, schema = index.snapshot()._searcher, index._schema
    query, must = tantivy.Query, tantivy.Occur.Must

    def term(word: str) -> tantivy.Query:
        return query.term_query(schema, "morph", stem(word))

    def both(text: str) -> tantivy.Query:
        return query.boolean_query([(must, term(word)) for word in text.split()])

    def phrase(text: str) -> tantivy.Query:
        return query.phrase_query(schema, "exact", [*phrase_terms(atoms(text))])

    return {
        "keyword": lambda q: len(searcher.search(term(q), 10).hits),
        "and": lambda q: len(searcher.search(both(q), 10).hits),
        "phrase": lambda q: len(searcher.search(phrase(q), 10).hits),
    }


def fts5(texts: list[str]) -> Engine:
    """Return SQLite FTS5 with its Unicode tokenizer, ranked by BM25."""
    started = time.process_time()
    base = sqlite3.connect(":memory:")
    base.execute("CREATE VIRTUAL TABLE ads USING fts5(copy, brand UNINDEXED, tokenize=unicode61)")
    rows = ((text, f"brand{number % BRANDS}") for number, text in enumerate(texts, start=1))
    base.executemany("INSERT INTO ads VALUES (?, ?)", rows)
    best = "SELECT rowid FROM ads WHERE ads MATCH ? ORDER BY rank LIMIT 10"
    counted = (
        "SELECT brand, count(*) FROM ads WHERE ads MATCH ? GROUP BY 1 ORDER BY 2 DESC LIMIT 20"
    )

    def ask(sql: str, text: str) -> int:
        return len(base.execute(sql, (text,)).fetchall())

    asks: dict[str, Ask] = {
        "keyword": lambda q: ask(best, f'"{q}"'),
        "and": lambda q: ask(best, " AND ".join(f'"{word}"' for word in q.split())),
        "phrase": lambda q: ask(best, f'"{q}"'),
        "facet": lambda q: ask(counted, f'"{q}"'),
    }
    return Engine("SQLite FTS5", asks, time.process_time() - started)


def scored_matrix(texts: list[str]) -> Engine:
    """Return bm25s, which computes scores at build time; no AND, phrases or facets."""
    started = time.process_time()
    retriever = bm25s.BM25()
    retriever.index([text.split() for text in texts], show_progress=False)

    def ask(text: str) -> int:
        found, _ = retriever.retrieve([text.split()], k=10, show_progress=False, n_threads=0)
        return len(found[0])

    return Engine("bm25s", {"keyword": ask}, time.process_time() - started)


def measure(
    engines: list[Engine], asked: dict[str, list[str]], chance: random.Random
) -> list[dict[str, object]]:
    """Return rows by kind and engine, measured in shuffled blocks after a warm-up pass."""
    took: dict[tuple[str, str], list[float]] = {}
    blocks = [
        (engine, kind, queries[first : first + BLOCK])
        for engine in engines
        for kind, queries in asked.items()
        if kind in engine.asks
        for first in range(0, len(queries), BLOCK)
    ]
    for timed in (False, True):
        chance.shuffle(blocks)
        for engine, kind, queries in blocks:
            for query in queries:
                started = time.thread_time()
                engine.asks[kind](query)
                if timed:
                    spent = (time.thread_time() - started) * 1000
                    took.setdefault((kind, engine.name), []).append(spent)
    return [
        row(kind, name, times, took[kind, engines[0].name])
        for (kind, name), times in sorted(took.items())
    ]


def row(kind: str, name: str, times: list[float], ours_took: list[float]) -> dict[str, object]:
    cuts = statistics.quantiles(times, n=100)
    return {
        "kind": kind,
        "engine": name,
        "p50_cpu_ms": round(cuts[49], 4),
        "p99_cpu_ms": round(cuts[98], 4),
        "mean_cpu_ms": round(statistics.fmean(times), 4),
        "p50_against_ours": round(cuts[49] / statistics.median(ours_took), 2),
    }


def show(reports: list[dict[str, object]]) -> None:
    for report in reports:
        rows = report["rows"]
        assert isinstance(rows, list)
        title = "{assets:,} ads; build CPU seconds {build_cpu_seconds}".format(**report)
        table = Table(title=title, box=None)
        for name in rows[0]:
            table.add_column(name, justify="left" if name in {"kind", "engine"} else "right")
        for values in rows:
            table.add_row(*(str(value) for value in values.values()))
        Console(width=110).print(table)


if __name__ == "__main__":
    main()
