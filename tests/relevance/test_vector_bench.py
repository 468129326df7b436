"""The index lab: correct measurements, and recommendations that follow from them."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from hybrid_search.cli.main import app
from hybrid_search.core.errors import InvalidConfig, InvalidInput
from hybrid_search.core.ports import LiveVectors, VectorIndex, Vectors
from hybrid_search.relevance.vector_bench.advice import as_file, as_settings, choose
from hybrid_search.relevance.vector_bench.benchmark import (
    GRID,
    Conditions,
    Measurement,
    VectorBench,
)
from hybrid_search.relevance.vector_bench.plot import plot
from hybrid_search.relevance.vector_bench.vectors import Snapshot, snapshot
from hybrid_search.settings.sections import VectorSection
from hybrid_search.stores.embedded.vector.index import FaissIndex
from hybrid_search.stores.embedded.vector.index_spec import VectorPlan
from tests.contracts.vectors import span, units

WIDTH = 32
ROWS = units(1_500, width=WIDTH)


def vectors(rows: Vectors) -> Snapshot:
    return Snapshot(1, span(1, len(rows) + 1), rows)


def make(plan: VectorPlan, folder: Path) -> VectorIndex:
    return FaissIndex(WIDTH, folder, plan)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Measurement]:
    queries = {"text_to_image": units(30, seed=3, width=WIDTH), "image_to_image": ROWS[:30]}
    lab = VectorBench(make, vectors(ROWS), tmp_path_factory.mktemp("lab"), queries)
    conditions = [Conditions(), Conditions(filter_share=0.2), Conditions(tombstones=0.3)]
    return list(lab.run(GRID, conditions, VectorPlan()))


def test_every_kind_is_measured_under_every_condition(results: list[Measurement]) -> None:
    assert {(r.kind, r.storage) for r in results} == set(GRID)
    assert {r.queries for r in results} == {"text_to_image", "image_to_image"}
    shown = {(r.kind, r.filter_share, r.tombstones) for r in results}
    assert {("hnsw", 1.0, 0.0), ("hnsw", 0.2, 0.0), ("hnsw", 1.0, 0.3)} <= shown
    assert {r.parameters["ef_search"] for r in results if r.kind == "hnsw"} == {
        *(32, 64, 128, 256, 512)
    }
    assert [r for r in results if r.kind == "lsh" and r.filter_share < 1.0] == []
    for kind in ("ivf_pq", "ivf_rabitq"):
        assert {r.parameters["rerank"] for r in results if r.kind == kind} == {4, 10, 30}
    assert all(r.build_seconds > 0 and r.build_cpu_seconds > 0 for r in results)
    assert all(r.wall_ms_p95 >= r.wall_ms and r.cpu_ms_p95 >= r.cpu_ms for r in results)
    assert all(r.memory_bytes > 0 and r.disk_bytes >= r.memory_bytes // 2 for r in results)


def test_exact_kinds_have_full_recall_and_breadth_never_hurts(results: list[Measurement]) -> None:
    assert {r.recall for r in results if (r.kind, r.storage) == ("flat", "f32")} == {1.0}
    graph = [
        r.recall
        for r in results
        if (r.kind, r.storage, r.queries) == ("hnsw", "f32", "text_to_image")
        and r.filter_share == 1.0
        and not r.tombstones
    ]
    assert graph[-1] > 0.99
    assert graph[-1] >= graph[0]
    filtered = [r for r in results if r.filter_share < 1.0]
    assert min(r.recall for r in filtered) == 1.0
    assert {round(r.recall, 9) for r in results} != {1.0}


def test_equal_vectors_are_equally_good_hits(tmp_path: Path) -> None:
    rows = np.repeat(units(10, width=WIDTH), 100, axis=0)
    lab = VectorBench(make, vectors(rows), tmp_path, {"pictures": rows[::100]})
    found = lab.run([("flat", "sq8"), ("ivf", "f32")], [Conditions()], VectorPlan())
    assert {r.recall for r in found} == {1.0}


def test_a_kind_that_needs_more_vectors_is_named(tmp_path: Path) -> None:
    skipped: list[str] = []
    lab = VectorBench(make, vectors(ROWS[:10]), tmp_path, {"pictures": ROWS[:2]})
    grid = [pair for pair in GRID if pair[0] in {"flat", "ivf_pq"}]
    found = list(lab.run(grid, [Conditions()], VectorPlan(), skipped=skipped.append))
    assert ({r.kind for r in found}, skipped) == ({"flat"}, ["ivf_pq f32"])


def test_snapshot_contains_the_vectors_read(tmp_path: Path) -> None:
    parts = [(span(1, 8), ROWS[:7]), (span(9, 12), ROWS[7:10])]
    taken = snapshot(LiveVectors(5, 10, iter(parts)), tmp_path / "rows")
    for _ in range(2):
        live = taken.live()
        ordinals, rows = (np.concatenate(part) for part in zip(*live.portions, strict=True))
        assert (live.sequence, live.count) == (5, 10)
        assert ordinals.tolist() == [*range(1, 8), *range(9, 12)]
        assert np.array_equal(rows, ROWS[:10])
    assert len(taken.sample(4, np.random.default_rng(1))) == 4
    assert not len(snapshot(LiveVectors(0, 0, []), tmp_path / "none").ordinals)


def result(
    kind: str, recall: float, cpu: float, queries: str = "texts", mb: int = 1
) -> Measurement:
    return Measurement(
        queries=queries,
        kind=kind,
        storage="f32",
        parameters={"storage": "f32", "ef_search": 64} if kind == "hnsw" else {},
        filter_share=1.0,
        tombstones=0.0,
        recall=recall,
        cpu_ms=cpu,
        cpu_ms_p95=cpu,
        wall_ms=cpu,
        wall_ms_p95=cpu,
        memory_bytes=mb << 20,
        predicted_bytes=mb << 20,
        disk_bytes=mb << 20,
        build_seconds=1.0,
        build_cpu_seconds=1.0,
    )


def test_cheapest_settings_with_enough_recall_are_recommended() -> None:
    texts = [result("flat", 1.0, 9.0), result("hnsw", 0.995, 0.3), result("ivf", 0.9, 0.1)]
    (choice,) = choose(texts, 0.99)
    assert choice.found == texts[1]
    settings = as_settings(choice)
    assert 'kind = "hnsw"\nstorage = "f32"\nef_search = 64\n' in settings
    assert settings.startswith("# recall 0.995, 0.30 ms CPU per query")


def test_recommendation_for_all_sets_has_enough_recall_for_each() -> None:
    texts = [result("flat", 1.0, 9.0), result("hnsw", 0.95, 0.3)]
    pictures = [replace(r, queries="pictures", recall=1.0) for r in texts]
    by_set = {choice.queries: choice.found for choice in choose([*texts, *pictures], 0.99)}
    assert by_set == {"texts": texts[0], "pictures": pictures[1], "all": texts[0]}


def test_memory_and_reference_limit_the_recommendation() -> None:
    several = [
        result("flat", 1.0, 9.0, mb=8),
        result("hnsw", 1.0, 0.3, mb=9),
        result("lsh", 1.0, 0.1),
        replace(result("ivf", 1.0, 0.1), filter_share=0.5),
    ]
    assert choose(several, 0.99, 8 << 20)[0].found == several[0]
    (none,) = choose([result("hnsw", 0.5, 0.3)], 0.99)
    assert none.found is None
    assert 'kind = "flat" is exact' in as_settings(none)
    (small,) = choose(several, 0.99, 1 << 20)
    assert "reaches recall 0.99 within 1 MB" in as_settings(small)
    (flat,) = choose(several[:1], 0.99)
    assert "# keep flat" in as_settings(flat)


def test_file_contains_the_settings_for_all_sets(results: list[Measurement]) -> None:
    for wanted in (0.5, 0.9, 1.0, 1.1):
        choices = choose(results, wanted)
        text = as_file(choices)
        assert [f"# for {choice.queries}" in text for choice in choices] == [True] * 3
        read = tomllib.loads(text)
        found = choices[-1].found
        assert (found is None) == (read == {})
        if found is not None:
            section = VectorSection(**read["vector"])
            assert (section.kind, section.storage) == (found.kind, found.storage)


def test_the_plot_has_a_panel_for_each_set(results: list[Measurement], tmp_path: Path) -> None:
    vector, pixels = plot(results, tmp_path)
    assert pixels.read_bytes().startswith(b"\x89PNG")
    text = vector.read_text("utf-8")
    assert text.count('<g id="axes_') == 2
    assert len(text) > 10_000


def test_missing_matplotlib_names_the_command_to_run(
    results: list[Measurement], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(InvalidConfig, match=r"pip install 'hybrid_search\[lab\]'"):
        plot(results, tmp_path)


def test_the_command_measures_a_corpus(tmp_path: Path, manifest: Path) -> None:
    where = ["--data-dir", str(tmp_path / "data")]
    runner = CliRunner()
    assert runner.invoke(app, ["ingest", str(manifest), *where, "--json"]).exit_code == 0
    out = tmp_path / "out"
    asked = ["index", "lab", "--kinds", "flat,hnsw", "--filter-share", "0.5", "--out", str(out)]
    answer = runner.invoke(app, [*asked, *where, "--json"])
    report = json.loads(answer.stdout)
    assert {r["kind"] for r in report["results"]} == {"flat", "hnsw"}
    assert set(report["settings"]) == {"text_to_image", "image_to_image", "all"}
    names = {path.name for path in out.iterdir()}
    assert {"results.json", "vector.toml", "recall_over_latency.png"} <= names
    assert tomllib.loads((out / "vector.toml").read_text("utf-8"))["vector"]["kind"] in {
        "flat",
        "hnsw",
    }
    shown = runner.invoke(app, ["index", "lab", "--kinds", "flat, ivf_pq", *where])
    assert "for image_to_image:" in shown.stdout
    assert "too few vectors for: ivf_pq f32" in shown.stdout
    for wrong in (["--kinds", "tree"], ["--filter-share", "2"], ["--tombstones", "x"]):
        refused = runner.invoke(app, ["index", "lab", *wrong, *where])
        assert isinstance(refused.exception, InvalidInput)


def test_corpus_without_pictures_gives_advice(tmp_path: Path) -> None:
    (tmp_path / "words.jsonl").write_text('{"id": "a", "title": "words alone"}', "utf-8")
    where = ["--data-dir", str(tmp_path / "data")]
    runner = CliRunner()
    assert runner.invoke(app, ["ingest", str(tmp_path / "words.jsonl"), *where]).exit_code == 0
    refused = runner.invoke(app, ["index", "lab", *where])
    assert "hybrid-search ingest" in str(refused.exception)
