"""Minimum quality on the judged corpus that may be beside a checkout."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hybrid_search.core import FusionSettings, ListName, ListSettings, Query
from hybrid_search.core.candidate_lists import Mode
from hybrid_search.core.queries import restrict
from hybrid_search.embedding.clip import ClipEmbedder
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.ingest.manifests import read_assets
from hybrid_search.relevance.candidate_cache import Candidates, retrieve
from hybrid_search.relevance.evaluation import evaluate, read_judgments, read_queries
from hybrid_search.relevance.measurement import measure
from hybrid_search.search.matched_set import matched_rows
from hybrid_search.settings.sections import EmbeddingSection
from hybrid_search.settings.settings import load_settings
from tests.progress import HANG_SECONDS
from tests.shared_data import shared
from tests.tiny_models import folder_model

ASSETS = 1455
NOT_THERE = (
    *("tax return deadline", "mortgage interest rate", "quarterly earnings report"),
    *("parliament election results", "quantum chromodynamics lecture", "insurance claim form"),
    *("legal contract termination", "stock market crash", "software license agreement"),
    *("부동산 대출 금리", "연말정산 서류", "국회의원 선거 결과", "주식 시장 폭락"),
    *("보험 청구 절차", "특허 출원 방법", "면접 질문 준비", "건강보험 자격득실 확인서"),
)
"""Subjects that no asset of the corpus is about."""
ByType = dict[str, dict[str, float]]
Measured = dict[str, ByType]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    manifest = shared("data/dev/assets.jsonl")
    settings = load_settings(tmp_path_factory.mktemp("dev") / "data")
    patient = settings.pictures.model_copy(update={"decode_seconds": HANG_SECONDS})
    with open_engine(settings.model_copy(update={"pictures": patient}), write=True) as opened:
        report = opened.writer().ingest(read_assets(manifest, 20 << 20))
        assert (report.indexed, report.skipped) == (ASSETS, [])
        yield opened


@pytest.fixture(scope="module")
def candidates(engine: Index) -> list[Candidates]:
    """The candidates of every query, retrieved once for all settings that are compared."""
    folder, usual = shared("data/dev"), engine.settings.fusion.settings()
    judged = read_judgments(folder / "qrels.txt")
    return [
        retrieve(engine.searcher, test, judged.get(test.qid, {}))
        for test in read_queries(folder / "queries.jsonl", usual)
    ]


@pytest.fixture(scope="module")
def measured(engine: Index, candidates: list[Candidates]) -> Measured:
    """Measures of each mode: hybrid by searches, the others over the candidates."""
    usual = engine.settings.fusion.settings()
    return {
        "hybrid": searched(engine, "hybrid"),
        "text": measured_by(candidates, restrict(usual, "text")),
        "vector": measured_by(candidates, restrict(usual, "vector")),
    }


@pytest.fixture(scope="module")
def by_pictures(engine: Index, candidates: list[Candidates]) -> ByType:
    settings = engine.settings.fusion.settings()
    names: tuple[ListName, ...] = ("text_to_image", "image_to_image")
    alone = replace(settings, lists={name: settings.lists[name] for name in names})
    return measured_by(candidates, alone)


def searched(engine: Index, mode: Mode) -> ByType:
    """Run a search per query; return the measures by query type."""
    folder, lists = shared("data/dev"), restrict(engine.settings.fusion.settings(), mode)
    queries = list(read_queries(folder / "queries.jsonl", lists))
    return evaluate(engine.searcher, queries, folder / "qrels.txt")


def measured_by(candidates: list[Candidates], settings: FusionSettings) -> ByType:
    """Rank the candidates with other settings; return the measures by query type."""
    tables = {
        name: t[0] for name, t in measure(candidates, [settings], ["nDCG@10", "P@10"]).items()
    }
    relevant = np.array([sum(grade > 0 for grade in one.judged) for one in candidates])
    # Capped as ``evaluate`` does it: ten hits hold at most ten relevant assets.
    tables["R@10"] = tables.pop("P@10") * 10 / np.minimum(relevant, 10)
    places = {"all": list(range(len(candidates)))}
    for place, one in enumerate(candidates):
        places.setdefault(one.test.type, []).append(place)
    return {
        kind: {"n": len(own), **{name: float(t[own].mean()) for name, t in tables.items()}}
        for kind, own in places.items()
    }


def test_candidates_measure_what_searches_measure(
    engine: Index, candidates: list[Candidates], measured: Measured
) -> None:
    """But for matches beyond the windows, which a search of one source reaches."""
    again = measured_by(candidates, engine.settings.fusion.settings())
    for kind, values in again.items():
        for name, value in values.items():
            assert measured["hybrid"][kind][name] == pytest.approx(value, abs=5e-3)


def test_ingesting_again_changes_and_embeds_nothing(
    engine: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    def embeds(*_: object) -> None:
        raise AssertionError("something was embedded again")

    for name in ("pixels", "pictures", "texts"):
        monkeypatch.setattr(ClipEmbedder, name, embeds)
    manifest, before = shared("data/dev/assets.jsonl"), engine.catalog.last_sequence()
    report = engine.writer().ingest(read_assets(manifest, 20 << 20))
    assert (report.unchanged, report.total) == (ASSETS, ASSETS)
    assert engine.catalog.last_sequence() == before


def test_all_quoted_phrases_are_found(measured: Measured) -> None:
    assert measured["hybrid"]["phrase"]["R@10"] == 1.0


def test_korean_words_are_found(measured: Measured) -> None:
    assert measured["text"]["ko_lex"]["R@10"] >= 0.98


def test_korean_tags_find_every_asset_that_has_the_words(engine: Index) -> None:
    """Assets without their Korean text are judged relevant too, and no word can find them."""
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


def test_brands_are_found_by_words(measured: Measured) -> None:
    assert measured["text"]["brand"]["R@10"] >= 0.875


def test_korean_queries_find_pictures_without_korean_text(
    measured: Measured,
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
    """Measured through the engine, whose window of 100 truncates queries of a small source."""
    assert by_pictures[kind]["R@10"] > floor


def test_copy_semantic_improves_results_without_losses(
    engine: Index, candidates: list[Candidates], measured: Measured
) -> None:
    usual = engine.settings.fusion.settings()
    lists: dict[ListName, ListSettings] = {
        name: part for name, part in usual.lists.items() if name != "copy_semantic"
    }
    without = measured_by(candidates, FusionSettings(usual.rank_constant, lists))
    gains = {
        kind: measured["hybrid"][kind]["nDCG@10"] - values["nDCG@10"]
        for kind, values in without.items()
    }
    assert min(gains.values()) > -0.01
    assert gains["all"] > 0.05
    assert gains["ko_xling"] > 0.15


@pytest.fixture(scope="module")
def plain_vectors(engine: Index, candidates: list[Candidates]) -> ByType:
    """Return the measures of the vector lists with plain RRF."""
    lists = restrict(engine.settings.fusion.settings(), "vector")
    return measured_by(candidates, replace(lists, method="rrf"))


def best_of_each(*lists: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return the nDCG of the better list for each query type, and the mean over all queries."""
    kinds = [kind for kind in lists[0] if kind != "all"]
    best = {kind: max(part[kind]["nDCG@10"] for part in lists) for kind in kinds}
    counts = {kind: lists[0][kind]["n"] for kind in kinds}
    return {**best, "all": sum(best[k] * counts[k] for k in kinds) / sum(counts.values())}


def test_fusion_is_at_least_as_good_as_its_lists(
    measured: Measured, plain_vectors: dict[str, dict[str, float]]
) -> None:
    hybrid = {kind: values["nDCG@10"] for kind, values in measured["hybrid"].items()}
    best = best_of_each(measured["text"], plain_vectors)
    assert measured["hybrid"]["all"]["n"] == 660
    assert {k: v for k, v in hybrid.items() if v < best[k] - 0.01} == {}
    assert hybrid["all"] >= best["all"] + 0.02


_BELOW = "six of 130 queries find others whose Korean holds the word: .638 against .654"


@pytest.mark.parametrize(
    "kind",
    [
        "ko_lex",
        pytest.param("ko_xling", marks=pytest.mark.xfail(strict=True, reason=_BELOW)),
        *("ko_tag", "en_tag", "category", "brand", "phrase", "image"),
    ],
)
def test_fusion_is_at_least_as_good_as_confident_vector_lists(
    measured: Measured, kind: str
) -> None:
    best = best_of_each(measured["text"], measured["vector"])
    assert measured["hybrid"][kind]["nDCG@10"] >= best[kind] - 0.01


@pytest.mark.xfail(strict=True, reason=".0191 above; the lists of vectors gained .165 by evidence")
def test_fusion_is_better_than_the_best_list(measured: Measured) -> None:
    best = best_of_each(measured["text"], measured["vector"])
    assert measured["hybrid"]["all"]["nDCG@10"] >= best["all"] + 0.02


def test_confident_rrf_is_better_than_plain_rrf(
    engine: Index, candidates: list[Candidates], measured: Measured
) -> None:
    plain = replace(engine.settings.fusion.settings(), method="rrf", rank_constant=60.0)
    found = measured_by(candidates, plain)
    # Matches rank first under either method, which raises plain RRF from .746 to .776.
    assert measured["hybrid"]["all"]["nDCG@10"] > found["all"]["nDCG@10"] + 0.02


def test_good_match_is_reported_correctly(engine: Index, candidates: list[Candidates]) -> None:
    usual = engine.settings.fusion.settings()
    gains = measure(candidates, [usual], ["nDCG@10"])["nDCG@10"][0]
    answered = [one.test.query for one, gain in zip(candidates, gains, strict=True) if gain]
    found = [engine.searcher.retrieve(query).good_match(usual) for query in answered]
    assert len(found) > 400
    assert found.count(False) <= 0.05 * len(found)
    refused = [not engine.searcher.retrieve(Query(text)).good_match(usual) for text in NOT_THERE]
    assert refused.count(True) >= 0.75 * len(refused)


@pytest.mark.parametrize(
    ("kind", "precision", "recall"),
    [("ko_tag", 0.75, 0.88), ("en_tag", 0.8, 0.98), ("category", 0.72, 0.7), ("phrase", 1.0, 1.0)],
)
def test_matched_sets_are_precise_and_complete(
    engine: Index, candidates: list[Candidates], kind: str, precision: float, recall: float
) -> None:
    lists = engine.settings.fusion.settings().lists
    sets = []
    for one in candidates:
        matched = matched_rows(one.retrieved, lists) & one.in_scope
        relevant = one.grades > 0
        hits, wanted = (matched & relevant).sum(), sum(grade > 0 for grade in one.judged)
        if one.test.type == kind:
            sets.append((hits / max(1, matched.sum()), hits / max(1, wanted)))
    found = np.mean(sets, axis=0)
    assert found[0] >= precision
    assert found[1] >= recall


def test_random_model_does_not_hurt_results(tmp_path: Path) -> None:
    """With random weights the vector lists are noise, and fusion ignores them."""
    manifest = shared("data/dev/assets.jsonl")
    (tmp_path / "model").mkdir()
    name = f"local-dir:{folder_model(tmp_path / 'model')}"
    settings = load_settings(tmp_path / "data").model_copy(
        update={"embedding": EmbeddingSection(model=name)}
    )
    with open_engine(settings, write=True) as engine:
        engine.writer().ingest(read_assets(manifest, 20 << 20))
        text, hybrid = (searched(engine, mode) for mode in ("text", "hybrid"))
    assert hybrid["all"]["nDCG@10"] >= text["all"]["nDCG@10"] - 0.01
