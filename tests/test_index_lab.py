"""The index lab: what it measures is right, and what it advises follows from it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hybrid_search.adapters.faiss_index import FaissIndex
from hybrid_search.cli.main import app
from hybrid_search.errors import InvalidConfig, InvalidInput
from hybrid_search.experiments.index_lab import (
    GRID,
    Conditions,
    Lab,
    Measured,
    as_settings,
    choose,
)
from hybrid_search.experiments.lab_plot import plot
from hybrid_search.ports import LiveVectors, VectorIndex
from hybrid_search.vector_plans import VectorPlan
from tests.contracts.vectors import span, units

WIDTH = 32
ROWS = units(1_500, width=WIDTH)


@contextmanager
def read() -> Iterator[LiveVectors]:
    yield LiveVectors(1, len(ROWS), [(span(1, 1_501), ROWS)])


def make(plan: VectorPlan, folder: Path) -> VectorIndex:
    return FaissIndex(WIDTH, folder, plan)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Measured]:
    queries = {"text_to_image": units(30, seed=3, width=WIDTH), "image_to_image": ROWS[:30]}
    lab = Lab(make, read, tmp_path_factory.mktemp("lab"), queries)
    conditions = [Conditions(), Conditions(filter_share=0.2), Conditions(tombstones=0.3)]
    return list(lab.run(GRID, conditions, VectorPlan()))


def test_every_kind_is_measured_under_every_condition(results: list[Measured]) -> None:
    assert {(r.kind, r.storage) for r in results} == set(GRID)
    assert {r.queries for r in results} == {"text_to_image", "image_to_image"}
    shown = {(r.kind, r.filter_share, r.tombstones) for r in results}
    assert {("hnsw", 1.0, 0.0), ("hnsw", 0.2, 0.0), ("hnsw", 1.0, 0.3)} <= shown
    assert {r.parameters["ef_search"] for r in results if r.kind == "hnsw"} == {
        *(32, 64, 128, 256, 512)
    }
    assert [r for r in results if r.kind == "lsh" and r.filter_share < 1.0] == []
    assert all(r.memory_bytes > 0 and r.disk_bytes >= r.memory_bytes // 2 for r in results)


def test_exact_kinds_find_everything_and_breadth_never_harms(results: list[Measured]) -> None:
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


def result(kind: str, recall: float, cpu: float, queries: str = "texts", mb: int = 1) -> Measured:
    return Measured(
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
        memory_bytes=mb << 20,
        predicted_bytes=mb << 20,
        disk_bytes=mb << 20,
        build_seconds=1.0,
    )


def test_the_cheapest_that_finds_enough_is_advised() -> None:
    texts = [result("flat", 1.0, 9.0), result("hnsw", 0.995, 0.3), result("ivf", 0.9, 0.1)]
    (choice,) = choose(texts, 0.99)
    assert choice.found == texts[1]
    settings = as_settings(choice)
    assert 'kind = "hnsw"\nstorage = "f32"\nef_search = 64\n' in settings
    assert settings.startswith("# recall 0.995, 0.30 ms CPU a query")


def test_what_is_for_all_queries_finds_enough_for_each() -> None:
    texts = [result("flat", 1.0, 9.0), result("hnsw", 0.95, 0.3)]
    pictures = [replace(r, queries="pictures", recall=1.0) for r in texts]
    by_set = {choice.queries: choice.found for choice in choose([*texts, *pictures], 0.99)}
    assert by_set == {"texts": texts[0], "pictures": pictures[1], "all": texts[0]}


def test_memory_and_baselines_bound_the_advice() -> None:
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


def test_the_plot_has_a_panel_for_each_set(results: list[Measured], tmp_path: Path) -> None:
    vector, pixels = plot(results, tmp_path)
    assert pixels.read_bytes().startswith(b"\x89PNG")
    text = vector.read_text("utf-8")
    assert text.count('<g id="axes_') == 2
    assert len(text) > 10_000


def test_without_matplotlib_the_next_command_is_said(
    results: list[Measured], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    assert "[vector]" in (out / "vector.toml").read_text("utf-8")
    shown = runner.invoke(app, ["index", "lab", "--kinds", "flat", *where])
    assert "for image_to_image:" in shown.stdout
    for wrong in (["--kinds", "tree"], ["--filter-share", "2"], ["--tombstones", "x"]):
        refused = runner.invoke(app, ["index", "lab", *wrong, *where])
        assert isinstance(refused.exception, InvalidInput)


def test_a_corpus_without_pictures_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "words.jsonl").write_text('{"id": "a", "title": "words alone"}', "utf-8")
    where = ["--data-dir", str(tmp_path / "data")]
    runner = CliRunner()
    assert runner.invoke(app, ["ingest", str(tmp_path / "words.jsonl"), *where]).exit_code == 0
    refused = runner.invoke(app, ["index", "lab", *where])
    assert "hybrid-search ingest" in str(refused.exception)
