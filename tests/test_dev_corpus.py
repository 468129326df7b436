"""The judged corpus that lies beside a checkout: what the answers must at least be worth."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hybrid_search.assembly import Engine, open_engine
from hybrid_search.config import load_settings
from hybrid_search.experiments.evaluation import compare, evaluate, read_queries
from hybrid_search.manifests import read_assets
from hybrid_search.records import FusionSettings, ListName
from hybrid_search.wire.queries import Mode, restrict
from tests.shared_data import shared

ASSETS = 1455


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    manifest = shared("data/dev/assets.jsonl")
    with open_engine(load_settings(tmp_path_factory.mktemp("dev") / "data"), write=True) as opened:
        report = opened.writer().ingest(read_assets(manifest, 20 << 20))
        assert (report.indexed, report.skipped) == (ASSETS, [])
        yield opened


@pytest.fixture(scope="module")
def measured(engine: Engine) -> dict[str, dict[str, dict[str, float]]]:
    folder = shared("data/dev")
    modes: tuple[Mode, ...] = ("hybrid", "text", "vector")
    return {mode: measure(engine, folder, mode) for mode in modes}


@pytest.fixture(scope="module")
def by_pictures(engine: Engine) -> dict[str, dict[str, float]]:
    settings = engine.settings.fusion.settings()
    names: tuple[ListName, ...] = ("text_to_image", "image_to_image")
    alone = replace(settings, lists={name: settings.lists[name] for name in names})
    return measured_by(engine, shared("data/dev"), alone)


def measure(engine: Engine, folder: Path, mode: Mode) -> dict[str, dict[str, float]]:
    return measured_by(engine, folder, restrict(engine.settings.fusion.settings(), mode))


def measured_by(engine: Engine, folder: Path, lists: FusionSettings) -> dict[str, dict[str, float]]:
    queries = list(read_queries(folder / "queries.jsonl", lists))
    return evaluate(engine.searcher, engine.catalog, queries, folder / "qrels.txt")


def test_the_same_again_changes_nothing_and_embeds_nothing(engine: Engine) -> None:
    manifest, before = shared("data/dev/assets.jsonl"), engine.catalog.last_sequence()
    started = time.process_time()
    report = engine.writer().ingest(read_assets(manifest, 20 << 20))
    assert (report.unchanged, report.total) == (ASSETS, ASSETS)
    assert engine.catalog.last_sequence() == before
    # Reading and hashing forty megabytes; embedding would take a minute of all processors.
    assert time.process_time() - started < 15


def test_quoted_phrases_are_all_found(measured: dict[str, dict[str, dict[str, float]]]) -> None:
    assert measured["hybrid"]["phrase"]["R@10"] == 1.0


def test_korean_words_are_found(measured: dict[str, dict[str, dict[str, float]]]) -> None:
    assert measured["text"]["ko_lex"]["R@10"] >= 0.98


def test_korean_tags_find_every_asset_that_has_the_words(engine: Engine) -> None:
    """Assets whose Korean is withheld are judged relevant too, and no word can find them."""
    folder, found = shared("data/dev"), []
    lists = restrict(engine.settings.fusion.settings(), "text")
    rows = [json.loads(line) for line in (folder / "assets.jsonl").read_text("utf-8").splitlines()]
    withheld = {row["id"] for row in rows if row.get("ko_withheld")}
    wanted: dict[str, set[str]] = {}
    for line in (folder / "qrels.txt").read_text().splitlines():
        qid, _, asset, grade = line.split()
        if int(grade) > 0 and asset not in withheld:
            wanted.setdefault(qid, set()).add(asset)
    for test in read_queries(folder / "queries.jsonl", lists):
        if test.type == "ko_tag" and test.qid in wanted:
            hits = engine.searcher.search(test.query).hits
            scoped = [h.stored.asset for h in hits if test.scope in {"all", h.stored.asset.source}]
            top = {asset.id for asset in scoped[:10]}
            found.append(len(wanted[test.qid] & top) / min(10, len(wanted[test.qid])))
    assert len(found) >= 30
    assert sum(found) / len(found) >= 0.95


def test_brands_are_found_by_words(measured: dict[str, dict[str, dict[str, float]]]) -> None:
    assert measured["text"]["brand"]["R@10"] >= 0.875


def test_korean_finds_pictures_without_korean(
    measured: dict[str, dict[str, dict[str, float]]],
) -> None:
    assert measured["text"]["ko_xling"]["R@10"] == 0.0
    assert measured["hybrid"]["ko_xling"]["R@10"] > 0.2


@pytest.mark.parametrize(
    ("kind", "floor"),
    [("ko_xling", 0.28), ("category", 0.225), ("image", 0.33), ("en_tag", 0.15), ("ko_tag", 0.2)],
)
def test_the_embedded_model_finds_pictures_by_meaning_and_by_likeness(
    by_pictures: dict[str, dict[str, float]], kind: str, floor: float
) -> None:
    """Through the engine, whose window of 100 cuts queries of a small source short."""
    assert by_pictures[kind]["R@10"] > floor


def test_the_meaning_of_copy_helps_and_costs_nothing(
    engine: Engine, measured: dict[str, dict[str, dict[str, float]]]
) -> None:
    folder, usual = shared("data/dev"), engine.settings.fusion.settings()
    lists = {name: part for name, part in usual.lists.items() if name != "copy_semantic"}
    without = {"without": FusionSettings(usual.rank_constant, lists)}
    queries = list(read_queries(folder / "queries.jsonl", usual))
    found = compare(engine.searcher, engine.catalog, queries, folder / "qrels.txt", without)
    gains = {
        kind: measured["hybrid"][kind]["nDCG@10"] - values["nDCG@10"]
        for kind, values in found["without"].items()
    }
    assert min(gains.values()) > -0.01
    assert gains["all"] > 0.05
    assert gains["ko_xling"] > 0.15


def test_two_lists_are_worth_more_than_either(
    measured: dict[str, dict[str, dict[str, float]]],
) -> None:
    worth = {mode: types["all"]["nDCG@10"] for mode, types in measured.items()}
    assert worth["hybrid"] > max(worth["text"], worth["vector"])
    assert measured["hybrid"]["all"]["n"] == 660
