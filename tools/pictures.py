"""Take screenshots of the page in its main states, with the demonstration ads."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, "-m", "hybrid_search.cli.main"]
CHROMIUM = "/usr/bin/chromium"
ALONE = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
EXPERIMENT = ROOT / "bench/experiments/demonstration_tuning.toml"
REPORT = Path(tempfile.mkdtemp()) / "report.html"
MUG = ROOT / "fixtures/images/copperfinch-mug-bare.webp"


def search(page: Page) -> None:
    page.goto("/?q=강아지 간식")


def typing(page: Page) -> None:
    page.goto("/?q=coffee")
    page.locator("#q").fill("강ㅇ")
    page.locator("#completions li").first.wait_for()


def board(page: Page) -> None:
    page.goto("/?like=copperfinch-mug-square&unlike=brixfire-fries-bare&like_text.0.5=summer beach")
    page.locator(".card").first.wait_for()
    page.locator("#picture").set_input_files(MUG)


def why(page: Page) -> None:
    page.goto('/?q="수제 간식" 강아지')
    page.locator(".card .why").nth(1).click()
    page.locator(".plans").wait_for()


def tuning(page: Page) -> None:
    page.goto("/?q=커피 할인")
    page.locator(".card").first.wait_for()
    page.locator("#tune").click()
    page.locator("[id='tune-weight.lexical']").evaluate(
        "(slider) => { slider.value = 0.2; slider.dispatchEvent(new Event('input')); }"
    )
    page.locator(".moved").first.wait_for()


def asset(page: Page) -> None:
    page.goto("/?q=커피&asset=copperfinch-mug-square")
    page.locator("#strip-similar img").first.wait_for()


def status(page: Page) -> None:
    page.goto("/status")
    page.locator(".panel").first.wait_for()


def judging(page: Page) -> None:
    page.goto("/judge?q=커피")
    page.locator("#pair img").first.wait_for()


def report(page: Page) -> None:
    page.goto(f"file://{REPORT}")


def worse(page: Page) -> None:
    page.goto(f"file://{REPORT}")
    page.locator(".comparison").first.evaluate("(first) => first.parentElement.scrollIntoView()")


WIDE, PHONE, TALL = (1280, 800), (390, 844), (1000, 1100)
STATES: dict[str, tuple[Callable[[Page], None], tuple[int, int], str, str]] = {
    "search": (search, WIDE, "ko-KR", "light"),
    "typing": (typing, WIDE, "en-US", "light"),
    "board": (board, WIDE, "en-US", "light"),
    "why": (why, WIDE, "en-US", "light"),
    "tuning": (tuning, WIDE, "en-US", "dark"),
    "asset": (asset, WIDE, "en-US", "light"),
    "status": (status, WIDE, "en-US", "light"),
    "judging": (judging, WIDE, "en-US", "light"),
    "report": (report, TALL, "en-US", "light"),
    "worse": (worse, WIDE, "en-US", "light"),
    "phone": (search, PHONE, "ko-KR", "dark"),
}


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with demonstration() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ALONE)
        for name, (bring, (width, height), language, scheme) in STATES.items():
            context = browser.new_context(
                base_url=address,
                viewport={"width": width, "height": height},
                locale=language,
                color_scheme=scheme,
            )
            page = context.new_page()
            bring(page)
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(400)
            taken = Image.open(io.BytesIO(page.screenshot()))
            taken.save(folder / f"{name}.webp", quality=82, method=6)
            print(f"{name}: {(folder / f'{name}.webp').stat().st_size / 1000:.0f} kB")
            context.close()
        browser.close()


@contextmanager
def demonstration() -> Iterator[str]:
    """Yield the address of a server with the demonstration ads."""
    with tempfile.TemporaryDirectory() as folder:
        where = ["--data-dir", folder]
        subprocess.run(
            [*COMMAND, "ingest", str(ROOT / "fixtures/assets.jsonl"), *where, "--json"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        lab = [*COMMAND, "lab", "run", str(EXPERIMENT), "--out", str(REPORT.parent), "--json"]
        subprocess.run([*lab, *where], check=True, stdout=subprocess.DEVNULL)
        command = [*COMMAND, "serve", "--port", "0", "--json", *where]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                address = json.loads(server.stdout.readline())["address"]
                warm_up(address)
                yield address
            finally:
                server.terminate()


def warm_up(address: str) -> None:
    """Wait until the service is ready, and search once, so that no picture shows a first time."""
    with httpx.Client(base_url=address, timeout=120) as client:
        while client.get("/readyz").status_code != 200:
            time.sleep(0.2)
        client.get("/v1/search", params={"q": "여름"}).raise_for_status()


if __name__ == "__main__":
    main()
