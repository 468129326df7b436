"""Measure the page with the browser's own clock: first results, and results while typing.

Each load uses a new browser profile. A query is typed at once into a loaded page and ends with the
frame that shows its results. The server and the browser share the machine.

    python bench/page.py --data-dir demo-data --loads 20 --queries 60
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.table import Table

from hybrid_search.api.app import PAGE

COMMAND = [sys.executable, "-m", "hybrid_search.cli.main"]
CHROMIUM = "/usr/bin/chromium"
ALONE = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
WATCH = """
  new MutationObserver(() => {
    if (window.shown || !document.querySelector('.card')) return;
    window.shown = true;
    requestAnimationFrame(() => setTimeout(() => { window.first = performance.now(); }));
  }).observe(document, { childList: true, subtree: true });
"""
TYPE = """(words) => new Promise((done) => {
  const box = document.getElementById('q'), hits = document.getElementById('hits');
  const began = performance.now();
  const watch = new MutationObserver(() => {
    watch.disconnect();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
  });
  watch.observe(hits, { childList: true });
  box.value = words;
  box.dispatchEvent(new Event('input', { bubbles: true }));
})"""


def main() -> None:
    options = parsed()
    texts = [json.loads(line).get("text", "") for line in options.queries.open(encoding="utf-8")]
    chosen = random.Random(1).sample(sorted({t for t in texts if t}), options.count)
    with served(options.data_dir) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ALONE)
        loads = [first_results(browser, address) for _ in range(options.loads + 1)][1:]
        page = browser.new_page(base_url=address)
        page.goto("/")
        page.wait_for_selector(".card")
        new = [typed(page, words) for words in chosen]
        again = [typed(page, words) for words in random.Random(2).sample(chosen, len(chosen))]
        browser.close()
    weight = sum(path.stat().st_size for path in PAGE.iterdir())
    rows = {
        "first results painted": loads,
        "typed, a query that is new": new,
        "typed, a query that was encoded before": again,
    }
    told = {name: figures(values) for name, values in rows.items()}
    if options.json:
        print(json.dumps({"milliseconds": told, "page_bytes": weight}))
    else:
        show(told, weight)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--queries", type=Path, default=Path("fixtures/queries.jsonl"))
    parser.add_argument("--count", type=int, default=60, help="queries typed")
    parser.add_argument("--loads", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def first_results(browser: Browser, address: str) -> float:
    """Return the milliseconds from the start of the navigation to the frame with results."""
    context = browser.new_context(base_url=address)
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto("/?q=coffee")
    page.wait_for_function("() => window.first")
    found: float = page.evaluate("() => window.first")
    context.close()
    return found


def typed(page: Page, words: str) -> float:
    """Return the milliseconds from the input event to the frame with the results."""
    found: float = page.evaluate(TYPE, words)
    page.wait_for_load_state("networkidle")
    return found


def figures(values: list[float]) -> dict[str, Any]:
    return {
        "count": len(values),
        "median": round(median(values), 1),
        "p95": round(quantiles(values, n=20)[-1], 1),
        "worst": round(max(values), 1),
    }


def show(told: dict[str, dict[str, Any]], weight: int) -> None:
    table = Table("ms", *next(iter(told.values())))
    for name, values in told.items():
        table.add_row(name, *map(str, values.values()))
    Console().print(table, f"page without pictures: {weight / 1000:.1f} kB")


@contextmanager
def served(data: Path) -> Iterator[str]:
    command = [*COMMAND, "serve", "--port", "0", "--json", "--data-dir", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())["address"]
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
