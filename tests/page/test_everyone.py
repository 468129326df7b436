"""Accessibility: keyboard, screen reader, small and large screens."""

import pytest
from playwright.sync_api import Page, expect

from hybrid_search.api.app import PAGE
from tests.page.browsing import Watched, answered, look_for, settled, violations

STATES = ("found", "empty", "board", "why", "tune", "asset", "add", "status")


def brought(watched: Watched, state: str, **how: object) -> Page:
    """Open a page in one of its states."""
    page = watched.open("/status" if state == "status" else "/?q=coffee", **how)
    if state == "status":
        expect(page.locator(".panel").first).to_be_visible()
    if state == "empty":
        look_for(page, "+zzzzqqq")
    if state == "board":
        answered(page, page.locator(".card .actions button").first.click)
        page.locator("#q").fill("co")
        expect(page.locator("#completions li").first).to_be_visible()
        settled(page)
    if state == "why":
        page.locator(".card .why").first.click()
        expect(page.locator(".parts")).to_be_visible()
    if state == "tune":
        page.locator("#tune").click()
    if state == "asset":
        page.locator(".card .title").first.click()
        expect(page.locator("#strip-similar img").first).to_be_visible()
    if state == "add":
        page.locator("#add").click()
        expect(page.locator("#edit form")).to_be_visible()
    return page


@pytest.mark.parametrize("language", ["en-US", "ko-KR"])
@pytest.mark.parametrize("state", STATES)
def test_every_state_is_accessible(watched: Watched, state: str, language: str) -> None:
    dark = language == "ko-KR"
    page = brought(watched, state, locale=language, color_scheme="dark" if dark else "light")
    assert violations(page) == []
    for width, height in ((360, 740), (3840, 2160)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        # The narrow layout is the same in all other states.
        if state in {"found", "board"} and width == 360:
            assert violations(page) == []


def test_small_screen_has_filters_behind_a_button(watched: Watched) -> None:
    page = watched.open("/?q=coffee", viewport={"width": 360, "height": 740})
    expect(page.locator("#filters")).to_be_hidden()
    page.locator("#filters-open").click()
    expect(page.locator("#filters")).to_be_visible()
    answered(page, page.locator("#facets input").first.click)
    expect(page.locator("#chips .chip")).to_have_count(1)


def test_page_is_usable_by_keyboard(page: Page) -> None:
    expect(page.locator("#q")).to_be_focused()

    def ask() -> None:
        page.keyboard.insert_text("coffee")
        page.keyboard.press("Enter")

    answered(page, ask)
    expect(page.locator(".card mark").first).to_be_visible()
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    seen: list[str] = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("() => document.activeElement.className"))
    assert "title" in seen
    page.locator(".card .title").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#asset h2")).to_be_visible()
    inside = page.evaluate("() => document.activeElement.closest('dialog')?.id")
    assert inside == "asset"
    page.keyboard.press("Escape")
    expect(page.locator("#asset")).to_be_hidden()
    expect(page.locator(".card .title").first).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()


def test_pictures_keep_their_aspect_ratio_and_load_lazily(page: Page) -> None:
    images = page.locator(".card img")
    for at in range(images.count()):
        assert images.nth(at).get_attribute("loading") == "lazy"
    page.wait_for_function("() => document.querySelector('.card img').complete")
    shapes = page.evaluate(
        """() => [...document.querySelectorAll('.card img')].filter((i) => i.naturalWidth)
             .map((i) => [i.naturalWidth / i.naturalHeight,
                          i.getAttribute('width') / i.getAttribute('height'),
                          getComputedStyle(i).objectFit])"""
    )
    assert shapes
    for natural, stored, fit in shapes:
        assert natural == pytest.approx(stored, rel=0.02)
        assert fit == "contain"


def test_page_size_is_small(watched: Watched) -> None:
    page = watched.open("/")
    sizes = page.evaluate(
        """() => performance.getEntriesByType('resource')
             .filter((entry) => entry.name.includes('/static/'))
             .map((entry) => entry.decodedBodySize)"""
    )
    assert len(sizes) > 10
    whole = sum(path.stat().st_size for path in PAGE.iterdir())
    assert sum(sizes) <= whole < 150_000


def test_url_restores_the_state(watched: Watched, page: Page) -> None:
    look_for(page, "커피")
    answered(page, page.locator("#facets input").first.click)
    answered(page, page.locator(".card .actions button").first.click)
    page.locator(".card .title").first.click()
    expect(page.locator("#asset h2")).to_be_visible()
    page.reload()
    settled(page)
    expect(page.locator("#asset h2")).to_be_visible()
    expect(page.locator("#q")).to_have_value("커피")
    expect(page.locator(".example")).to_have_count(1)
    expect(page.locator("#chips .chip")).to_have_count(1)
