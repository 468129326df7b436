"""Helpers for tests of the page."""

from collections.abc import Callable
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response

from tests.progress import HANG_SECONDS

ALONE = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
"""Options that keep Chromium from contacting other hosts."""
PATIENCE_MS = 1000 * HANG_SECONDS
"""How long the page may take to reach a state that a test waits for."""
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


class Watched:
    """Pages of one site, and their errors."""

    def __init__(self, browser: Browser, address: str) -> None:
        self._browser = browser
        self.address = address
        self.errors: list[str] = []
        self.foreign: list[str] = []
        self.expected: tuple[str, ...] = ()
        """Parts of messages that a test expects."""
        self._contexts: list[BrowserContext] = []

    def open(self, path: str, **how: Any) -> Page:
        """Open a page and wait for its results; ``how`` goes to the browser context."""
        how = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US", **how}
        context = self._browser.new_context(base_url=self.address, **how)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.set_default_timeout(PATIENCE_MS)
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda failure: self.errors.append(str(failure)))
        page.on("request", lambda request: self._asked(request.url))
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(path)
        if path.startswith("/judge"):
            page.locator("#pair:not([aria-busy])").wait_for(state="attached")
        elif not path.startswith("/status"):
            settled(page)
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()
        unexpected = [e for e in self.errors if not any(part in e for part in self.expected)]
        assert not unexpected, unexpected
        assert not self.foreign, self.foreign

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(message.text)

    def _asked(self, url: str) -> None:
        if not url.startswith((self.address, "blob:")):
            self.foreign.append(url)


def settled(page: Page) -> None:
    """Return once the results of the address and the counts beside them are shown."""
    page.wait_for_function(
        "() => document.getElementById('took')?.textContent"
        " && !document.querySelector('#hits[aria-busy], #facets[aria-busy]')"
        " || document.querySelector('#rescue button, #sign-in:not([hidden])')"
    )


def answered(page: Page, act: Callable[[], object], path: str = "/v1/search") -> Response:
    """The answer to the search that the act causes, once it and its counts are shown."""

    def of_results(response: Response) -> bool:
        asked = response.url + (response.request.post_data or "")
        return path in response.url and "facet" not in asked

    with page.expect_response(of_results) as found:
        act()
    settled(page)
    return found.value


def look_for(page: Page, words: str) -> Response:
    """Fill in the search box and press Enter."""
    box = page.locator("#q")

    def ask() -> None:
        box.fill(words)
        box.press("Enter")

    return answered(page, ask)


def titles(page: Page) -> list[str]:
    return page.locator(".card .title").all_inner_texts()


def shown_ids(page: Page) -> list[str]:
    """Return the ordinals of the cards, in order."""
    script = "() => [...document.querySelectorAll('.card')].map((card) => card.id)"
    found: list[str] = page.evaluate(script)
    return found


def violations(page: Page) -> list[str]:
    """Return axe-core's violations of WCAG 2.2 AA and best practices."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]
