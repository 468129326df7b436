"""Judging by keyboard: nothing is lost by a reload, and the export is what was judged."""

import json
from pathlib import Path

import httpx
from playwright.sync_api import Page, expect
from typer.testing import CliRunner

from hybrid_search.cli.main import app
from hybrid_search.experiments.evaluation import read_judgments
from hybrid_search.judgments import qid_of
from tests.page.browsing import Watched, violations

QUERY = "여름 할인"


def opened(watched: Watched, **how: object) -> Page:
    page = watched.open("/judge?q=", **how)
    page.locator("#judge-name").fill("kim")
    page.locator("#judge-query").fill(QUERY)
    page.locator("#judge-query").press("Enter")
    expect(page.locator("#pair")).to_be_visible()
    return page


def test_twenty_pairs_are_judged_by_keyboard_and_nothing_is_lost(
    watched: Watched, site: httpx.Client
) -> None:
    page = opened(watched)
    for number in range(20):
        expect(page.locator("#said")).to_contain_text(f"{number} of ")
        page.keyboard.press(str(number % 4))
        expect(page.locator("#said")).to_contain_text(f"{number + 1} of ")
    page.reload()
    expect(page.locator("#said")).to_contain_text("20 of ")
    page.keyboard.press("ArrowLeft")
    pressed = page.locator(".grades [aria-pressed=true]")
    expect(pressed).to_have_count(1)
    expect(pressed).to_contain_text("Exactly")
    page.keyboard.press("0")
    expect(page.locator("#said")).to_contain_text("20 of ")

    kept = site.get("/v1/judgments", params={"query": QUERY, "judge": "kim"}).json()["judgments"]
    assert [one["grade"] for one in kept] == [*(n % 4 for n in range(19)), 0]
    data = Path(site.get("/v1/status").json()["data_dir"])
    out = data.parent / "exported"
    ran = CliRunner().invoke(app, ["lab", "export", str(out), "--data-dir", str(data), "--json"])
    assert json.loads(ran.stdout)["judgments"] == 20
    exported = read_judgments(out / "qrels.txt")
    assert exported == {qid_of(QUERY): {one["asset"]: one["grade"] for one in kept}}


def test_the_pool_is_blind_and_scattered(watched: Watched, site: httpx.Client) -> None:
    page = opened(watched)
    expect(page.locator("#said")).to_contain_text(" of ")
    first = page.locator(".pair h2").inner_text()
    ways = ({}, {"mode": "text"}, {"mode": "vector"}, {"fusion": "dbsf"})
    found = [site.get("/v1/search", params={"q": QUERY, "size": 20, **way}).json() for way in ways]
    pool = {hit["id"] for answer in found for hit in answer["hits"]}
    count = int(page.locator("#said").inner_text().split(" of ")[1].split()[0])
    assert count >= len(pool) > 20
    for told in ("rank", "score", "vector", "rrf"):
        assert told not in page.locator("#pair").inner_text().lower()
    page.locator("#judge-name").fill("lee")
    page.locator("#judge-query").press("Enter")
    expect(page.locator("#said")).to_contain_text("0 of ")
    orders = {first, page.locator(".pair h2").inner_text()}
    ranked = [hit["asset"].get("title") for hit in found[0]["hits"]]
    assert orders != {ranked[0]}


def test_the_judging_page_is_for_everyone(watched: Watched) -> None:
    page = opened(watched, locale="ko-KR", color_scheme="dark")
    assert violations(page) == []
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    page.locator(".grades button").nth(2).click()
    expect(page.locator("#said")).to_contain_text("평가")
