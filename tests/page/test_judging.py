"""Judging by keyboard: a reload loses nothing, and the export has the grades."""

import json
import re
from pathlib import Path

import httpx
from playwright.sync_api import Page, expect
from typer.testing import CliRunner

from hybrid_search.cli.main import app
from hybrid_search.engine.judgments import qid_of
from hybrid_search.relevance.evaluation import read_judgments
from tests.page.browsing import Watched, violations

QUERY = "여름 할인"


def opened(watched: Watched, **how: object) -> Page:
    page = watched.open("/judge?q=", **how)
    page.locator("#judge-name").fill("kim")
    page.locator("#judge-query").fill(QUERY)
    page.locator("#judge-query").press("Enter")
    expect(page.locator("#pair")).to_be_visible()
    return page


def test_twenty_grades_by_keyboard_survive_a_reload(watched: Watched, site: httpx.Client) -> None:
    page = opened(watched)
    for number in range(20):
        expect(page.locator("#message")).to_have_text(re.compile(rf"^{number} of "))
        page.keyboard.press(str(number % 4))
    expect(page.locator("#message")).to_have_text(re.compile("^20 of "))
    page.reload()
    expect(page.locator("#message")).to_contain_text("20 of ")
    page.keyboard.press("ArrowLeft")
    pressed = page.locator(".grades [aria-pressed=true]")
    expect(pressed).to_have_count(1)
    expect(pressed).to_contain_text("Exact match")
    with page.expect_response(lambda answer: answer.request.method == "PUT"):
        page.keyboard.press("0")

    kept = site.get("/v1/judgments", params={"query": QUERY, "judge": "kim"}).json()["judgments"]
    assert [one["grade"] for one in kept] == [*(n % 4 for n in range(19)), 0]
    data = Path(site.get("/v1/status").json()["data_dir"])
    out = data.parent / "exported"
    ran = CliRunner().invoke(app, ["lab", "export", str(out), "--data-dir", str(data), "--json"])
    assert json.loads(ran.stdout)["judgments"] == 20
    exported = read_judgments(out / "qrels.txt")
    assert exported == {qid_of(QUERY): {one["asset"]: one["grade"] for one in kept}}


EXPERIMENT = """
name = "spring"
queries = "queries.jsonl"
qrels = "none.txt"
[[configurations]]
name = "words"
mode = "text"
[[configurations]]
name = "meaning"
mode = "vector"
"""


def test_a_pool_is_judged_query_by_query(
    watched: Watched, site: httpx.Client, tmp_path: Path
) -> None:
    asked = [{"qid": "1", "type": "t", "text": "puppy"}, {"qid": "2", "type": "t", "text": "신발"}]
    (tmp_path / "queries.jsonl").write_text("\n".join(map(json.dumps, asked)), "utf-8")
    (tmp_path / "spring ads.toml").write_text(EXPERIMENT, "utf-8")
    data = site.get("/v1/status").json()["data_dir"]
    command = ["lab", "pool", str(tmp_path / "spring ads.toml"), "--depth", "3"]
    made = CliRunner().invoke(app, [*command, "--data-dir", data, "--json"])
    counts = json.loads(made.stdout)
    [told] = site.get("/v1/pools").json()["pools"]
    assert told == {"name": "spring ads", "queries": 2, "assets": counts["assets"]}
    first, second = site.get("/v1/pools/spring ads").json()["queries"]
    found = {
        hit["id"]
        for mode in ("text", "vector")
        for hit in site.get("/v1/search", params={"q": "puppy", "size": 3, "mode": mode}).json()[
            "hits"
        ]
    }
    assert set(first["assets"]) == found

    page = watched.open("/judge?pool=spring+ads")
    page.locator("#judge-name").fill("choi")
    page.get_by_role("button", name="Start").click()
    heading = page.locator("#judge-current")
    expect(heading).to_have_text("Query 1 of 2: puppy")
    for number in range(len(first["assets"])):
        expect(page.locator("#message")).to_contain_text(f"{number} of {len(first['assets'])}")
        page.keyboard.press("2")
    expect(heading).to_have_text("Query 2 of 2: 신발")
    page.keyboard.press("ArrowLeft")
    expect(heading).to_have_text("Query 1 of 2: puppy")
    expect(page.locator(".grades [aria-pressed=true]")).to_contain_text("Relevant")
    page.reload()
    expect(heading).to_have_text("Query 2 of 2: 신발")
    for number in range(len(second["assets"])):
        expect(page.locator("#message")).to_contain_text(f"{number} of {len(second['assets'])}")
        page.keyboard.press("0")
    expect(page.locator("#message")).to_contain_text("Thank you")
    kept = site.get("/v1/judgments", params={"judge": "choi"}).json()["judgments"]
    assert {(one["query"], one["asset"]): one["grade"] for one in kept} == {
        **{("puppy", asset): 2 for asset in first["assets"]},
        **{("신발", asset): 0 for asset in second["assets"]},
    }
    assert violations(page) == []


def test_pool_is_blind_and_shuffled(watched: Watched, site: httpx.Client) -> None:
    page = opened(watched)
    expect(page.locator("#message")).to_contain_text(" of ")
    first = page.locator(".pair h2").inner_text()
    ways: tuple[dict[str, str], ...] = (
        {},
        {"mode": "text"},
        {"mode": "vector"},
        {"fusion": "dbsf"},
    )
    found = [site.get("/v1/search", params={"q": QUERY, "size": 20, **way}).json() for way in ways]
    pool = {hit["id"] for answer in found for hit in answer["hits"]}
    count = int(page.locator("#message").inner_text().split(" of ")[1].split()[0])
    assert count >= len(pool) > 20
    for told in ("rank", "score", "vector", "rrf"):
        assert told not in page.locator("#pair").inner_text().lower()
    page.locator("#judge-name").fill("lee")
    page.locator("#judge-query").press("Enter")
    expect(page.locator("#message")).to_have_text(re.compile("^0 of "))
    orders = {first, page.locator(".pair h2").inner_text()}
    ranked = [hit["asset"].get("title") for hit in found[0]["hits"]]
    assert orders != {ranked[0]}


def test_judging_page_is_accessible(watched: Watched) -> None:
    page = opened(watched, locale="ko-KR", color_scheme="dark")
    assert violations(page) == []
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    page.locator(".grades button").nth(2).click()
    expect(page.locator("#message")).to_contain_text("평가")
