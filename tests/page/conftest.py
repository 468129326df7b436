"""The page in a real Chromium, against a real server over the demonstration adverts."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from filelock import FileLock
from playwright.sync_api import Browser, Page, sync_playwright

from tests.page.browsing import ALONE, Watched
from tests.web.conftest import COMMAND, serving

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the demonstration adverts, that nobody writes to."""
    # Above the folder of one of several processes is that of all: the first makes the index.
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "demonstration"
    words = ["ingest", str(FIXTURES / "assets.jsonl"), "--data-dir", str(folder)]
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def site(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server over a copy of them."""
    copy = tmp_path_factory.mktemp("site") / "data"
    shutil.copytree(indexed, copy)
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
    """Opens pages; at the end none may have said an error or asked another host."""
    watched = Watched(browser, str(site.base_url).rstrip("/"))
    yield watched
    watched.close()


@pytest.fixture
def page(watched: Watched) -> Page:
    """The page as a reader of English sees it first."""
    return watched.open("/")
