"""The lab: a sweep ranks like single searches, and the report files are complete."""

import csv
import json
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from hybrid_search.cli.main import app
from hybrid_search.core import (
    FUSION_METHODS,
    LIST_NAMES,
    NO_MATCH,
    FusionSettings,
    ListName,
    ListSettings,
    Query,
)
from hybrid_search.core.candidates import CandidateList, Retrieved
from hybrid_search.core.errors import InvalidConfig, InvalidInput
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.engine.variants import openings
from hybrid_search.relevance import evaluation
from hybrid_search.relevance.candidate_cache import (
    Candidates,
    retrieve,
)
from hybrid_search.relevance.evaluation import evaluate, read_judgments, read_queries
from hybrid_search.relevance.expectations import misses
from hybrid_search.relevance.experiment import (
    Experiment,
    Point,
    Setting,
    at_point,
    read_experiment,
)
from hybrid_search.relevance.runner import Results, run_experiment
from hybrid_search.relevance.sweep import Sweep
from hybrid_search.relevance.tuning.cutoffs import cut_offs, refusals
from hybrid_search.search.fusion import fuse
from hybrid_search.search.searcher import Searcher
from hybrid_search.settings.settings import load_settings

NOTHING: dict[ListName, float] = dict.fromkeys(LIST_NAMES, NO_MATCH)
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
FILE = """
name = "demonstration <b>ads</b>"
queries = "queries.jsonl"
qrels = "qrels.txt"
measures = ["nDCG@10", "R@10", "Success@1"]
base = "plain"

[[configurations]]
name = "plain"
fusion = "rrf"
rank_constant = 60
weights = { lexical = 1.0 }

[[configurations]]
name = "as configured"

[[configurations]]
name = "text"
mode = "text"

[grid]
fusion = ["rrf", "confident_rrf", "dbsf"]
rank_constant = [10, 30, 60]
weights = { lexical = [0.5, 1, 2] }

[expected.plain]
"nDCG@10" = { value = 0.8, tolerance = 0.01 }
"""


@pytest.fixture(scope="module")
def engine(demonstration: tuple[Path, dict[str, Any]]) -> Iterator[Index]:
    with open_engine(load_settings(demonstration[0])) as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("experiment")
    for name in ("queries.jsonl", "qrels.txt", "query_images"):
        (made / name).symlink_to(FIXTURES / name)
    (made / "ads.toml").write_text(FILE, "utf-8")
    return made


@pytest.fixture(scope="module")
def results(engine: Index, folder: Path) -> Results:
    experiment = read_experiment(folder / "ads.toml")
    defaults = engine.settings.fusion.settings()
    return run_experiment(openings(engine, {}), experiment, folder, defaults=defaults)


def by_chance(chance: np.random.Generator, defaults: FusionSettings) -> FusionSettings:
    lists = {
        name: ListSettings(part.window, float(chance.uniform(0, 4)))
        for name, part in defaults.lists.items()
    }
    method = FUSION_METHODS[int(chance.integers(len(FUSION_METHODS)))]
    return FusionSettings(float(chance.uniform(1, 80)), lists, method)


def narrower(chance: np.random.Generator, settings: FusionSettings) -> FusionSettings:
    lists = {
        name: replace(part, window=int(chance.integers(1, part.window + 1)))
        for name, part in settings.lists.items()
    }
    return replace(settings, lists=lists)


def test_sweep_ranks_like_single_searches(engine: Index) -> None:
    chance, defaults = np.random.default_rng(17), engine.settings.fusion.settings()
    tried = [defaults, *(by_chance(chance, defaults) for _ in range(60))]
    sweep = Sweep(tried)
    for test in list(read_queries(FIXTURES / "queries.jsonl", defaults))[::9]:
        candidates = retrieve(engine.searcher, test, {})
        found = sweep.rankings(candidates, 50)
        for row, settings in zip(found, tried, strict=True):
            query = replace(test.query, fusion=settings, size=50)
            hits = engine.searcher.search(query).hits
            assert [candidates.ids[at] for at in row if at >= 0] == [
                hit.stored.asset.id for hit in hits
            ]


def test_sweep_cuts_each_list_to_its_window(engine: Index) -> None:
    """Confidence stays that of the retrieved window, as it depends on the whole list."""
    chance, defaults = np.random.default_rng(17), engine.settings.fusion.settings()
    tried = [narrower(chance, by_chance(chance, defaults)) for _ in range(60)]
    sweep = Sweep(tried)
    for test in list(read_queries(FIXTURES / "queries.jsonl", defaults))[::9]:
        candidates = retrieve(engine.searcher, test, {})
        found = sweep.rankings(candidates, 50)
        for row, settings in zip(found, tried, strict=True):
            windows = {name: part.window for name, part in settings.lists.items()}
            order = fuse(candidates.retrieved.narrowed(windows), settings)
            assert row[row >= 0].tolist() == order.rows[:50].tolist()


def test_configuration_measures_equal_eval(engine: Index, results: Results) -> None:
    defaults = engine.settings.fusion.settings()
    tests = list(read_queries(FIXTURES / "queries.jsonl", defaults))
    types = evaluate(engine.searcher, tests, FIXTURES / "qrels.txt")
    (own,) = [one for one in results.compared if one.name == "as configured"]
    assert own.means["nDCG@10"] == pytest.approx(types["all"]["nDCG@10"], abs=1e-4)
    for kind, value in own.by_type.items():
        assert value == pytest.approx(types[kind]["nDCG@10"], abs=1e-4)


def test_tuned_settings_are_measured_on_held_out_queries(results: Results) -> None:
    tuned = results.tuned
    assert tuned is not None
    assert results.settings_tried == 3 + 27
    halves = sum(one.queries for one in tuned.by_type.values())
    assert halves == tuned.difference.queries
    assert len(results.queries) * 0.4 < halves < len(results.queries) * 0.6
    assert tuned.point["fusion"] == "confident_rrf"
    assert tuned.difference.low > 0
    assert tuned.advice.startswith("take the tuned setting")
    assert set(tuned.axes) == {"fusion", "rank_constant", "weights.lexical"}
    assert all(one.tuned < one.base for one in tuned.regressions)
    assert all(len(one.before) == len(one.after) == 6 for one in tuned.regressions)
    assert tuned.pair is not None
    assert tuned.pair[2].shape == (3, 3)


def test_report_says_when_nothing_is_better(engine: Index, folder: Path) -> None:
    text = FILE.replace('base = "plain"', 'base = "as configured"').replace(
        '["rrf", "confident_rrf", "dbsf"]', '["weaviate_ranked", "combsum"]'
    )
    (folder / "worse.toml").write_text(text, "utf-8")
    defaults = engine.settings.fusion.settings()
    found = run_experiment(
        openings(engine, {}),
        read_experiment(folder / "worse.toml"),
        folder,
        defaults=defaults,
    )
    assert found.tuned is not None
    assert found.tuned.point == {}
    assert found.tuned.advice.startswith("keep the default")


def test_settings_can_be_sampled_at_random(engine: Index, folder: Path) -> None:
    text = FILE.replace("[grid]", "[grid]\nsample = 10")
    (folder / "sampled.toml").write_text(text, "utf-8")
    defaults = engine.settings.fusion.settings()
    path = folder / "sampled.toml"
    ran = [
        run_experiment(openings(engine, {}), read_experiment(path), folder, defaults=defaults)
        for _ in range(2)
    ]
    assert [found.settings_tried for found in ran] == [13, 13]
    assert ran[0].tuned is not None
    assert ran[0].tuned == ran[1].tuned
    assert ran[0].tuned.pair is None


def test_threshold_refuses_the_allowed_share(engine: Index, results: Results) -> None:
    by_name = {cut.list: cut for cut in results.cut_offs}
    assert set(by_name) == {"lexical", "text_to_image", "copy_semantic", "image_to_image"}
    assert (by_name["lexical"].by, by_name["image_to_image"].by) == ("confidence", "confidence")
    for cut in results.cut_offs:
        assert cut.chosen_on > 0
        # Eight picture queries: each is an eighth.
        assert cut.answered < 20 or cut.refused_wrongly < 0.2
    made = [(1, 0.9)] * 95 + [(1, 0.2)] * 5 + [(0, 0.1)] * 50
    found = [candidates_of(grade, best) for grade, best in made]
    places = np.arange(len(found))
    (cut,) = cut_offs(found, places, places, 0.05)
    assert (cut.value, cut.refused_wrongly, cut.refused_rightly) == (0.9, 0.05, 1.0)
    (none,) = cut_offs(found, places, places, 0.0)
    assert (none.value, none.refused_wrongly, none.refused_rightly) == (0.2, 0.0, 1.0)


def test_search_uses_the_derived_thresholds(engine: Index, results: Results) -> None:
    usual = engine.settings.fusion.settings()
    cuts: dict[ListName, float] = {cut.list: cut.value for cut in results.cut_offs}
    lists = {
        name: replace(one, no_match_below=cuts.get(name, one.no_match_below))
        for name, one in usual.lists.items()
    }
    learned, judged = replace(usual, lists=lists), read_judgments(FIXTURES / "qrels.txt")
    told = []
    for test in read_queries(FIXTURES / "queries.jsonl", usual):
        retrieved = engine.searcher.retrieve(test.query)
        candidates = retrieve(engine.searcher, test, judged.get(test.qid, {}))
        one = refusals([candidates], np.array([0]), {**NOTHING, **cuts})
        good = one.refused_wrongly + one.refused_rightly == 0.0
        assert retrieved.good_match(learned) == good
        told.append(good)
    assert len(set(told)) == 2
    # The derived thresholds refuse more, but few answered queries.
    before, after = results.refusals.values()
    assert (before.answered, before.unanswered) == (after.answered, after.unanswered)
    assert after.refused_rightly >= before.refused_rightly
    assert after.refused_wrongly <= 0.1


def candidates_of(grade: int, best: float) -> Candidates:
    row, value = np.array([0]), np.array([best])
    one = CandidateList("lexical", row, np.array([5.0]), 10, total=1, confidences=value)
    test = evaluation.TestQuery("q", "made", "all", Query())
    rows, whole = Retrieved.of((one,), [1]), np.array([True])
    return Candidates(test, ("a",), np.array([float(grade)]), (1.0,), rows, whole)


def test_grid_point_changes_only_its_parameters(engine: Index) -> None:
    base = Setting("as built", engine.settings.fusion.settings())
    point: Point = {
        "fusion": "dbsf",
        "rank_constant": 7.0,
        "weights.lexical": 3.0,
        "windows.lexical": 9,
    }
    found = at_point(base, point)
    fused = found.fusion
    assert (found.index, fused.method, fused.rank_constant) == ("as built", "dbsf", 7.0)
    assert fused.lists["lexical"] == ListSettings(9, 3.0)
    assert fused.lists["copy_semantic"] == base.fusion.lists["copy_semantic"]
    assert at_point(base, {"index": "rules"}) == Setting("rules", base.fusion)


def test_the_command_writes_a_report_and_checks(
    engine: Index, folder: Path, tmp_path: Path
) -> None:
    where = ["--data-dir", str(engine.settings.data_dir)]
    out = tmp_path / "report"
    asked = ["lab", "run", str(folder / "ads.toml"), "--out", str(out), "--json", *where]
    ran = CliRunner().invoke(app, asked, catch_exceptions=False)
    told = json.loads(ran.stdout)
    assert told["tuned"]["advice"].startswith("take")
    page = (out / "report.html").read_text("utf-8")
    assert "demonstration &lt;b&gt;ads&lt;/b&gt;" in page
    assert page.count("<figure>") >= 6
    assert "take the tuned setting" in (out / "report.md").read_text("utf-8")
    rows = list(csv.DictReader((out / "per_query.csv").read_text("utf-8").splitlines()))
    assert len(rows) == 3 * told["queries"]
    mean = np.mean([float(row["nDCG@10"]) for row in rows if row["configuration"] == "text"])
    (text,) = [one for one in told["configurations"] if one["name"] == "text"]
    assert mean == pytest.approx(text["means"]["nDCG@10"], abs=1e-5)
    runs = (out / "runs" / "text.trec").read_text("utf-8").splitlines()
    assert all(len(line.split()) == 6 for line in runs)
    checked = CliRunner().invoke(app, ["lab", "check", str(folder / "ads.toml"), *where])
    assert checked.exit_code == 0, checked.output
    assert "1 of 1 measures are as expected" in checked.stdout
    (folder / "high.toml").write_text(FILE.replace("value = 0.8", "value = 0.99"), "utf-8")
    missed = CliRunner().invoke(app, ["lab", "check", str(folder / "high.toml"), *where])
    assert missed.exit_code == 1
    assert "expected 0.9900 with a tolerance of 0.01" in missed.stdout


def test_demonstration_measures_equal_expected_values(engine: Index) -> None:
    path = FIXTURES.parent / "bench/experiments/demonstration.toml"
    defaults = engine.settings.fusion.settings()
    found = run_experiment(
        openings(engine, {}), read_experiment(path), path.parent, defaults=defaults
    )
    assert len(found.queries) == 102
    assert misses(found) == []


INDEXES = """
name = "indexes"
queries = "queries.jsonl"
qrels = "qrels.txt"
seed = 3

[[indexes]]
name = "rules"
lexical = { analyzer = "rules" }

[[indexes]]
name = "graph"
vector = { kind = "hnsw", ef_search = 50 }
fields = { body = { searched = false } }

[[configurations]]
name = "base"

[[configurations]]
name = "without a dictionary"
index = "rules"

[grid]
index = ["as built", "graph"]
rank_constant = [5, 60]
weights = { lexical = [0.5, 4] }
windows = { lexical = [20, 150] }
optuna = 30
"""
TUNED = {"index", "rank_constant", "weights.lexical", "windows.lexical"}


def traces(engine: Index) -> list[str]:
    """Return every file except thumbnails, which are created on first use."""
    files = (path for path in engine.settings.data_dir.rglob("*") if path.is_file())
    return sorted(str(path) for path in files if "thumbnails" not in path.parts)


def test_other_indexes_are_built_and_searched(engine: Index, folder: Path, tmp_path: Path) -> None:
    (folder / "indexes.toml").write_text(INDEXES, "utf-8")
    before, out = traces(engine), tmp_path / "out"
    command = ["lab", "run", str(folder / "indexes.toml"), "--out", str(out), "--json"]
    where = ["--data-dir", str(engine.settings.data_dir)]
    ran = [CliRunner().invoke(app, [*command, *where]).stdout for _ in range(2)]
    told, again = (json.loads(one) for one in ran)
    assert traces(engine) == before
    # With the same seed Optuna proposes the same settings, so all but times are equal.
    assert told["tuned"] == again["tuned"]
    assert told["settings_tried"] == 32
    point = told["tuned"]["point"]
    # Where nothing tried is better on the development half, the base is kept: an empty point.
    assert set(point) in (set(), TUNED)
    window = point.get("windows.lexical", 100)
    assert isinstance(window, int)
    assert 20 <= window <= 150
    names = [one["name"] for one in told["indexes"]]
    assert names == ["as built", "rules", "graph"]
    means = {one["name"]: one["means"]["nDCG@10"] for one in told["indexes"]}
    configured = {one["name"]: one["means"]["nDCG@10"] for one in told["configurations"]}
    assert means["rules"] == configured["without a dictionary"] < configured["base"]
    assert means["graph"] != means["as built"]
    assert all(one["milliseconds"]["wall"] > 0 for one in told["indexes"])
    page = (out / "report.html").read_text("utf-8")
    assert "R@10 over latency" in page
    assert (out / "over-windows.lexical.svg").is_file()
    # Queries that got worse are listed with the pictures of their hits.
    assert page.count("data:image/webp") >= (12 if point else 0)
    if point.get("index") == "graph":
        assert 'kind = "hnsw"' in told["tuned"]["settings"]
    settings = tomllib.loads(told["tuned"]["settings"])
    assert settings.get("fusion", {}).get("lexical", {}).get("window", 100) == window


def test_variant_index_equals_a_rebuilt_index(engine: Index) -> None:
    """The same settings give the same index; another analyser is applied."""
    tests = list(read_queries(FIXTURES / "queries.jsonl", engine.settings.fusion.settings()))[::7]
    changes = {"same": {"vector": {"kind": "flat"}}, "rules": {"lexical": {"analyzer": "rules"}}}
    opening = openings(engine, changes)
    with opening("same") as same, opening("rules") as rules:
        others = 0
        for test in tests:
            own = arrivals_of(engine.searcher, test.query)
            assert arrivals_of(same, test.query) == own
            others += arrivals_of(rules, test.query)[0] != own[0]
    assert others


def arrivals_of(searcher: Searcher, query: Query) -> list[list[int]]:
    """The candidates of each list."""
    found = searcher.retrieve(query).candidates
    return [found.arrivals[part.rows].tolist() for part in found.lists]


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"lexical": {"analyser": "rules"}}, "lexical.analyser"),
        ({"vector": {"ef_search": -1}}, "vector.ef_search"),
        ({"fields": {"title": {"boost": 0}}}, "boost"),
    ],
)
def test_invalid_index_is_rejected(engine: Index, sections: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidConfig) as refusal:
        openings(engine, {"wrong": sections})
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ('base = "plain"', 'base = "plain"\n[[indexes]]\nname = "as built"'),
            "two have the same name",
        ),
        (("rank_constant = [10", 'index = ["none"]\nrank_constant = [10'), "index: 'none'"),
        (("[grid]", "[grid]\nsample = 3\noptuna = 3"), "sample and optuna exclude each other"),
        (("[grid]", "[grid]\noptuna = 5001"), "optuna"),
        (("name =", "nam ="), "nam"),
        (("nDCG@10", "DCG@10"), "DCG@10"),
        (('base = "plain"', 'base = "none"'), "'none' is not the name of a configuration"),
        (('name = "text"', 'name = "plain"'), "two have the same name"),
        (("[expected.plain]", "[expected.other]"), "'other' is not the name of a configuration"),
        (("rank_constant = 60", "rank_constant = 0"), "rank_constant"),
        (('"rrf", "confident_rrf"', '"rrf2"'), "fusion"),
        (("[0.5, 1, 2]", str(np.linspace(0, 9, 2300).tolist())), "more than 20,000 settings"),
        (("[grid]", "[grid"), "is not TOML"),
    ],
)
def test_invalid_file_is_rejected_with_the_key(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(FILE.replace(*change), "utf-8")
    with pytest.raises(InvalidInput) as refusal:
        read_experiment(path)
    assert said in str(refusal.value)


def test_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no file at"):
        read_experiment(tmp_path / "none.toml")
    assert Experiment.model_fields["split"].default == 0.5
