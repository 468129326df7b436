"""Explanations, sliders that fuse again, and the status page."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.page.browsing import Watched, answered, look_for, shown_ids


@pytest.fixture
def found(page: Page) -> Page:
    look_for(page, "커피 할인")
    return page


def test_explanation_adds_up(found: Page) -> None:
    why = found.locator(".card .why").nth(1)
    why.focus()
    why.press("Enter")
    side = found.locator("#side")
    expect(side.locator(".place")).to_have_text(re.compile(r"Rank 2 of \d+"))
    gives = [float(cell) for cell in side.locator(".parts td:last-child").all_inner_texts()]
    total = float(re.sub(r"[^\d.]", "", side.locator(".sum").inner_text().split("·")[0]))
    assert len(gives) >= 3
    assert sum(gives) == pytest.approx(total, abs=3e-4)
    expect(side.locator(".bar").first).to_be_visible()
    assert side.locator(".otherwise tr").count() == len(gives) + 1
    assert side.locator(".plans dd").count() == len(gives)
    expect(found.locator("#side-close")).to_be_focused()
    found.keyboard.press("Escape")
    expect(side).to_be_hidden()
    expect(why).to_be_focused()


def test_predicted_rank_equals_the_actual_rank(found: Page, site: httpx.Client) -> None:
    found.locator(".card .why").nth(2).click()
    row = found.locator(".otherwise tr").filter(has_text="Words").first
    without = row.locator(".step").first.inner_text()
    value, rank = (part.strip() for part in without.split("→"))
    assert value == "0"
    ordinal = found.locator(".card").nth(2).get_attribute("id") or ""
    asked: dict[str, str | int] = {"q": "커피 할인", "weight.lexical": 0, "size": 200}
    hits = site.get("/v1/search", params=asked).json()["hits"]
    assert {f"hit-{hit['ordinal']}": hit["rank"] for hit in hits}[ordinal] == int(rank)


def slide(page: Page, name: str, value: float) -> None:
    page.locator(f"[id='tune-{name}']").evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }",
        value,
    )


def test_sliders_fuse_again_without_a_search(found: Page, site: httpx.Client) -> None:
    before = shown_ids(found)
    found.locator("#tune").click()
    answer = answered(found, lambda: slide(found, "weight.lexical", 0)).json()
    assert answer["reused"] is True
    expect(found.locator("#tune-moved")).to_contain_text("moved")
    expect(found.locator(".moved").first).to_be_visible()
    after = shown_ids(found)
    assert after != before
    asked: dict[str, str | int] = {"q": "커피 할인", "weight.lexical": 0, "size": 24}
    hits = site.get("/v1/search", params=asked).json()["hits"]
    assert after == [f"hit-{hit['ordinal']}" for hit in hits]
    assert "weight.lexical=0" in found.url

    plain = answered(found, found.locator("#method").click).json()
    assert (plain["fusion"], plain["reused"]) == ("rrf", True)
    constant = answered(found, lambda: slide(found, "rank_constant", 5)).json()
    assert (constant["rank_constant"], constant["reused"]) == (5, True)
    found.get_by_role("button", name="Copy as settings").click()
    expect(found.get_by_role("button", name="Copied")).to_be_visible()
    copied = found.evaluate("() => navigator.clipboard.readText()")
    assert 'method = "rrf"\nrank_constant = 5\n' in copied
    assert "[fusion.lexical]\nweight = 0\n" in copied
    answered(found, found.get_by_role("button", name="Reset").click)
    assert shown_ids(found) == before


def test_an_explanation_updates_with_the_sliders(watched: Watched) -> None:
    page = watched.open("/?q=coffee&weight.lexical=0")
    page.locator(".card .why").first.click()
    words = page.locator(".parts tbody tr").filter(has_text="Words").first
    expect(words.locator("td").nth(2)).to_have_text("0")
    expect(words.locator("td").last).to_have_text("0.0000")


def test_status_page_shows_the_index(watched: Watched, site: httpx.Client) -> None:
    page = watched.open("/status")
    facts = site.get("/v1/status").json()
    tile = page.locator(".tile").filter(has_text="Ads").first
    expect(tile.locator("b")).to_have_text(str(facts["assets"]))
    panel = page.locator(".panel").filter(has_text="Picture vectors").first
    expect(panel).to_contain_text(f"{facts['vector']['tail']}")
    expect(panel).to_contain_text("Drift")
    service = page.locator(".panel").filter(has_text="Service").first
    expect(service).to_contain_text("waiting: reads")
    expect(page.locator(".panel").filter(has_text="Recent errors")).to_contain_text("None since")
    expect(page.locator(".panels")).to_contain_text(facts["encoding"]["model"])
