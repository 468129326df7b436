"""Measure batching of concurrent query texts: encodings a second and waiting times.

Distinct texts that are not cached go through the query encoder from one thread, and from as many
threads as the service admits. Rounds alternate, so a busy machine slows both.

    python bench/encoding.py --threads 32
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from hybrid_search.core.model_choice import ModelChoice
from hybrid_search.embedding.clip import ClipEmbedder
from hybrid_search.embedding.query_encoder import QueryEncoder

WORDS = ("빨간", "구두", "summer", "sale", "여름", "세일", "shoe", "커피", "puppy", "무료", "배송")


@dataclass
class Sample:
    """Measurements with one number of threads."""

    waits_ms: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    batches: int = 0


def main() -> None:
    options = arguments()
    embedder = ClipEmbedder(ModelChoice(options.model, options.pretrained))
    embedder.texts(["warm"])
    samples = {1: Sample(), options.threads: Sample()}
    for turn in range(options.rounds):
        for threads, sample in samples.items():
            texts = made_up(turn, threads, options.texts)
            run(QueryEncoder(embedder), texts, threads, sample)
    rows = [row(threads, sample) for threads, sample in samples.items()]
    print(json.dumps(rows, indent=2)) if options.json else show(rows)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=32, help="concurrent requests")
    parser.add_argument("--texts", type=int, default=320, help="distinct texts a round")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--pretrained", help="weights; 'random' to measure speed only")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def made_up(turn: int, threads: int, count: int) -> list[str]:
    """Return texts of three words and a number that is unique to this round."""
    some = [WORDS[(turn + place) % len(WORDS)] for place in range(count + 2)]
    return [f"{' '.join(some[n : n + 3])} {turn}-{threads}-{n}" for n in range(count)]


def run(encoder: QueryEncoder, texts: Sequence[str], threads: int, sample: Sample) -> None:
    def ask(text: str) -> float:
        started = time.perf_counter()
        encoder.text(text)
        return (time.perf_counter() - started) * 1000

    started, busy = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        sample.waits_ms += pool.map(ask, texts)
    sample.seconds += time.perf_counter() - started
    sample.cpu_seconds += time.process_time() - busy
    sample.batches += encoder.counts().batches


def row(threads: int, sample: Sample) -> dict[str, float]:
    count, cuts = len(sample.waits_ms), statistics.quantiles(sample.waits_ms, n=100)
    return {
        "threads": threads,
        "texts": count,
        "encodes_per_second": round(count / sample.seconds, 1),
        "encodes_per_cpu_second": round(count / sample.cpu_seconds, 1),
        "texts_per_pass": round(count / sample.batches, 1),
        "wait_ms_median": round(cuts[49], 2),
        "wait_ms_p99": round(cuts[98], 2),
    }


def show(rows: Sequence[dict[str, float]]) -> None:
    table = Table(box=None)
    for name in rows[0]:
        table.add_column(name, justify="right")
    for values in rows:
        table.add_row(*(str(value) for value in values.values()))
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
