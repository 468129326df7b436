"""Measure the cost of fusing and evaluating cached candidates under many settings.

Candidates are random: three lists of a hundred that overlap by a third, five relevant assets a
query. Prints CPU time of one thread.

    OMP_NUM_THREADS=1 python bench/sweeping.py --queries 1000 --settings 200
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace

import numpy as np

from hybrid_search.core import (
    FUSION_METHODS,
    FusionMethod,
    FusionSettings,
    ListName,
    ListSettings,
    Query,
)
from hybrid_search.core.candidates import CandidateList, Retrieved
from hybrid_search.relevance.candidate_cache import Candidates
from hybrid_search.relevance.evaluation import TestQuery
from hybrid_search.relevance.metrics import measured
from hybrid_search.relevance.sweep import Sweep, grades

LISTS: tuple[ListName, ...] = ("lexical", "text_to_image", "copy_semantic")
WINDOW, ASSETS = 100, 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--settings", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    chance = np.random.default_rng(1)
    found = [made(number, chance) for number in range(options.queries)]
    told = {method: seconds(found, tried(options.settings, method)) for method in FUSION_METHODS}
    if options.json:
        print(json.dumps(told))
    else:
        for method, (fused, both) in told.items():
            print(f"{method:20} fusion {fused:6.2f} s, with nDCG@10 and R@10 {both:6.2f} s")


def made(number: int, chance: np.random.Generator) -> Candidates:
    relevant = np.zeros(ASSETS)
    relevant[chance.choice(ASSETS, 5, replace=False)] = 1.0
    lists = tuple(
        CandidateList(
            name,
            chance.permutation(ASSETS)[:WINDOW],
            np.sort(chance.normal(size=WINDOW))[::-1],
            WINDOW,
            confidences=np.sort(chance.random(WINDOW))[::-1],
        )
        for name in LISTS
    )
    test = TestQuery(str(number), "made", "all", Query())
    ids = tuple(map(str, range(ASSETS)))
    rows = replace(Retrieved.of(lists, np.arange(ASSETS)), has_picture=chance.random(ASSETS) >= 0.1)
    return Candidates(test, ids, relevant, (1.0,) * 5, rows, np.ones(ASSETS, np.bool_))


def tried(count: int, method: FusionMethod) -> list[FusionSettings]:
    chance = np.random.default_rng(2)
    return [
        FusionSettings(
            float(chance.uniform(1, 80)),
            {name: ListSettings(WINDOW, float(chance.uniform(0, 4))) for name in LISTS},
            method,
        )
        for _ in range(count)
    ]


def seconds(found: list[Candidates], settings: list[FusionSettings]) -> tuple[float, float]:
    """Return the CPU seconds to fuse, and to fuse and evaluate."""
    began = time.process_time()
    sweep = Sweep(settings)
    ranked = [sweep.rankings(candidates, 10) for candidates in found]
    fused = time.process_time() - began
    for candidates, order in zip(found, ranked, strict=True):
        for name in ("nDCG@10", "R@10"):
            measured(name, grades(candidates, order), candidates.judged)
    return fused, time.process_time() - began


if __name__ == "__main__":
    main()
