"""``confident_rrf`` in a real engine, beside plain RRF."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hybrid_search.api.schemas.results import answer_to_json
from hybrid_search.core import FusionSettings, Query
from hybrid_search.core.candidate_lists import Mode
from hybrid_search.core.queries import restrict
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.engine.status import engine_status
from hybrid_search.ingest.manifests import read_assets
from hybrid_search.settings.settings import load_settings
from hybrid_search.stores.embedded.rebuild import calibrate, rebuild

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture(scope="module")
def engine(
    demonstration: tuple[Path, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Index]:
    """The demonstration ads."""
    data = tmp_path_factory.mktemp("confident") / "data"
    shutil.copytree(demonstration[0], data)
    with open_engine(load_settings(data), write=True) as opened:
        yield opened


def in_mode(engine: Index, mode: Mode) -> FusionSettings:
    return restrict(engine.settings.fusion.settings(), mode)


def test_baseline_is_measured_by_the_end_of_an_ingest(engine: Index) -> None:
    status = engine_status(engine)
    copy = status["copy"]
    assert copy is not None
    assert (status["vector"]["calibrated"], copy["calibrated"]) == (304, 273)


def test_every_result_has_confidence_and_evidence_of_each_list(engine: Index) -> None:
    answer = engine.searcher.search(Query("강아지 간식", explain=True))
    reports = {report.name: report for report in answer.lists}
    assert set(reports) == {"lexical", "text_to_image", "copy_semantic"}
    assert reports["lexical"].confidence > 0.6
    assert "100% of the query's" in reports["lexical"].evidence
    assert "deviations above the" in reports["copy_semantic"].evidence
    for hit in answer.hits:
        parts = [
            part.weight * part.confidence * hit.lift / (answer.rank_constant + part.rank)
            for part in hit.contributions
            if part.rank is not None
        ]
        assert sum(parts) == pytest.approx(hit.score)
    rendered = answer_to_json(answer)
    assert (rendered["fusion"], rendered["good_match"]) == ("confident_rrf", True)
    assert rendered["lists"][0]["evidence"] == reports["lexical"].evidence


def test_plain_rrf_is_selectable(engine: Index) -> None:
    plain = replace(engine.settings.fusion.settings(), method="rrf", rank_constant=60.0)
    answer = engine.searcher.search(Query("강아지 간식", fusion=plain, explain=True))
    assert answer.fusion == "rrf"
    for hit in answer.hits:
        parts = [p.weight / (60.0 + p.rank) for p in hit.contributions if p.rank is not None]
        assert sum(parts) == pytest.approx(hit.score)
        assert hit.lift == 1.0


def test_whole_name_ranks_before_a_mention(engine: Index) -> None:
    brand = "초록바구니"
    answer = engine.searcher.search(Query(brand, explain=True))
    (words,) = [report for report in answer.lists if report.name == "lexical"]
    assert (words.confidence, "as its name" in words.evidence) == (1.0, True)
    named = [hit.stored.asset.brand == brand for hit in answer.hits]
    assert all(named)


def test_missing_subject_has_no_good_match(engine: Index) -> None:
    answer = engine.searcher.search(Query("quantum chromodynamics lecture"))
    assert not answer.good_match
    assert "no_good_match" in [note.code for note in answer.notes]


def test_paging_neither_repeats_nor_skips(engine: Index) -> None:
    whole = [h.stored.asset.id for h in engine.searcher.search(Query("여름 세일", size=60)).hits]
    paged: list[str] = []
    cursor = None
    while len(paged) < 60:
        page = engine.searcher.search(Query("여름 세일", size=7, cursor=cursor))
        paged += [hit.stored.asset.id for hit in page.hits]
        cursor = page.cursor
    assert paged[:60] == whole


def test_without_text_hybrid_equals_vector_mode(tmp_path: Path) -> None:
    lines = (FIXTURES / "assets.jsonl").read_text("utf-8").splitlines()
    pictures = [row["image"] for row in map(json.loads, lines) if "image" in row][:60]
    (tmp_path / "images").mkdir()
    for picture in pictures:
        shutil.copy(FIXTURES / picture, tmp_path / picture)
    path = tmp_path / "bare.jsonl"
    rows = [{"id": picture, "image": picture} for picture in pictures]
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    with open_engine(load_settings(tmp_path / "data"), write=True) as engine:
        report = engine.writer().ingest(read_assets(path, 20 << 20))
        assert (report.indexed, report.skipped) == (60, [])
        modes: tuple[Mode, Mode] = ("hybrid", "vector")
        for text in ("dog", "여름 신발", "pizza with cheese"):
            by_mode = [
                [(h.stored.asset.id, h.score) for h in engine.searcher.search(q).hits]
                for mode in modes
                for q in [Query(text, size=60, fusion=in_mode(engine, mode))]
            ]
            assert by_mode[0] == by_mode[1]


def test_calibration_is_part_of_a_rebuild_and_a_command_of_its_own(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "data")
    lines = (FIXTURES / "assets.jsonl").read_text("utf-8").splitlines()[:120]
    path = tmp_path / "some.jsonl"
    rows = [{k: v for k, v in json.loads(line).items() if k != "image"} for line in lines]
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    with open_engine(settings, write=True) as engine:
        engine.writer().ingest(read_assets(path, 20 << 20))
        written = engine_status(engine)["copy"]
    rebuild(settings)
    with open_engine(settings) as engine:
        rebuilt = engine_status(engine)["copy"]
        assert written is not None
        assert rebuilt is not None
        assert written["calibrated"] == rebuilt["calibrated"] > 50
        found = calibrate(settings)
        assert found["picture"] is None
        usual = found["copy"]
        assert usual is not None
        assert usual.vectors == rebuilt["calibrated"]
