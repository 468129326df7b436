"""The page in a real Chromium, with a real server and the demonstration ads."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.api.conftest import serving
from tests.page.browsing import ALONE, PATIENCE_MS, Watched

expect.set_options(timeout=PATIENCE_MS)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def site(
    demonstration: tuple[Path, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client of a server with a copy of the demonstration."""
    copy = tmp_path_factory.mktemp("site") / "data"
    shutil.copytree(demonstration[0], copy)
    with serving(copy) as (client, _):
        yield client


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium; on Debian run: make browser")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ALONE)
        yield opened
        opened.close()


@pytest.fixture
def watched(browser: Browser, site: httpx.Client) -> Iterator[Watched]:
    """Opens pages; at the end none may have logged an error or contacted another host."""
    watched = Watched(browser, str(site.base_url).rstrip("/"))
    yield watched
    watched.close()


@pytest.fixture
def page(watched: Watched) -> Page:
    """The start page in English."""
    return watched.open("/")
