"""With a query log the page says so, and logs viewed and opened results."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from hybrid_search.core import LoggedSearch
from hybrid_search.engine.parts import open_query_log
from hybrid_search.settings.settings import load_settings
from tests.api.conftest import serving
from tests.page.browsing import Watched, answered, look_for, violations
from tests.progress import until

LONG_LOOK_MS = 2_000
"""Longer than results have to be on show before their search is kept."""
SETTINGS = {
    "FEEDBACK__LOG": "true",
    "FEEDBACK__CHALLENGER__NAME": "plain RRF",
    "FEEDBACK__CHALLENGER__METHOD": "rrf",
}


@pytest.fixture(scope="module")
def logging(
    demonstration: tuple[Path, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, Path]]:
    copy = tmp_path_factory.mktemp("logging") / "data"
    shutil.copytree(demonstration[0], copy)
    with serving(copy, settings=SETTINGS) as (client, _):
        yield client, copy


@pytest.fixture
def page(browser: Browser, logging: tuple[httpx.Client, Path]) -> Iterator[Page]:
    watched = Watched(browser, str(logging[0].base_url).rstrip("/"))
    yield watched.open("/")
    watched.close()


def type_letter(page: Page, letter: str) -> None:
    """Type, and let the moment pass after which the page searches."""
    page.locator("#q").press(letter)
    page.clock.run_for(30)


def kept(page: Page, folder: Path, least: int) -> list[LoggedSearch]:
    """Return the log once it has ``least`` entries."""
    found: list[LoggedSearch] = []

    def whole() -> bool:
        with closing(open_query_log(load_settings(folder), write=False)) as log:
            found[:] = log.searches()
        page.wait_for_timeout(20)  # the page's own requests go on
        return len(found) >= least and (least == 1 or bool(found[-1].clicked))

    until(whole, found)
    return found


def test_viewed_and_opened_searches_are_logged(
    page: Page, logging: tuple[httpx.Client, Path]
) -> None:
    expect(page.locator("#logged")).to_contain_text("without who searched")
    page.clock.install()
    page.clock.pause_at(page.evaluate("() => Date.now()") + 1_000)
    for letter in "coffee":
        answered(page, partial(type_letter, page, letter))
    page.clock.run_for(LONG_LOOK_MS)
    page.clock.resume()
    # What was typed on the way is not kept.
    [one] = kept(page, logging[1], 1)
    assert one.text == "coffee"
    assert one.challenger == "plain RRF"
    shown = page.evaluate("() => document.querySelectorAll('.card').length")
    assert len(one.shown) == shown

    look_for(page, "할인 신발")
    third = page.locator(".card .title").nth(2)
    title = third.inner_text()
    third.click()
    expect(page.locator("#asset h2")).to_have_text(title)
    clicked = kept(page, logging[1], 2)[1]
    assert clicked.text == "할인 신발"
    assert clicked.clicked == {clicked.shown[2]}

    page.goto("/status")
    panel = page.locator(".panel", has_text="Searches and clicks")
    expect(panel).to_contain_text("plain RRF")
    expect(panel).to_contain_text("no winner yet")
    assert violations(page) == []
