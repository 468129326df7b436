"""Adding, editing and deleting ads in the page, by role."""

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, expect

from hybrid_search.engine.access.api_keys import KEYS, KeyFile
from tests.api.conftest import serving
from tests.page.browsing import Watched, answered, look_for

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def picture(colour: str) -> FilePayload:
    drawn = io.BytesIO()
    Image.new("RGB", (300, 200), colour).save(drawn, "PNG")
    return {"name": f"{colour}.png", "mimeType": "image/png", "buffer": drawn.getvalue()}


def stored(site: httpx.Client, words: str) -> list[dict[str, object]]:
    asked: dict[str, str | int] = {"q": words, "mode": "text", "size": 50}
    return [hit["asset"] for hit in site.get("/v1/search", params=asked).json()["hits"]]


def save(page: Page) -> None:
    answered(page, page.locator("#edit [type=submit]").click)
    expect(page.locator("#edit")).to_be_hidden()


def test_ads_are_added_with_their_pictures(page: Page, site: httpx.Client) -> None:
    page.locator("#add").click()
    page.locator("#edit [type=submit]").click()
    expect(page.locator("#edit-message")).to_have_text("Choose a picture or enter a title.")
    page.locator("#edit [name=picture]").set_input_files([picture("teal"), picture("orchid")])
    page.locator("#edit [name=brand]").fill("새로운가게")
    page.locator("#edit [name=tags]").fill("개업, opening ,")
    page.locator("#edit [name=starts]").fill("2026-12-01")
    page.locator("#edit [name=further]").fill("[1]")
    page.locator("#edit [type=submit]").click()
    expect(page.locator("#edit-message")).to_have_text("Other fields: not a JSON object")
    page.locator("#edit [name=further]").fill('{"price": 9900}')
    save(page)
    expect(page.locator("#message")).to_have_text("Saved 2 ads")
    found = stored(site, "brand:새로운가게")
    assert {asset["title"] for asset in found} == {"teal", "orchid"}
    for asset in found:
        assert asset["tags"] == ["개업", "opening"]
        assert (asset["price"], asset["starts"]) == (9900, "2026-12-01")


def test_an_edited_ad_keeps_its_picture_and_versions(page: Page, site: httpx.Client) -> None:
    look_for(page, "강아지를 위한 수제 간식")
    page.locator(".card .title").first.click()
    page.get_by_role("button", name="Edit", exact=True).click()
    before = page.locator("#edit [name=title]").input_value()
    page.locator("#edit [name=title]").fill(f"{before} 리뉴얼")
    save(page)
    expect(page.locator("#asset h2")).to_have_text(f"{before} 리뉴얼")
    expect(page.locator("#strip-versions li")).to_have_count(2)
    expect(page.locator("#strip-versions li").first).to_contain_text("Title")
    (asset,) = [a for a in stored(site, "리뉴얼") if "리뉴얼" in str(a["title"])]
    whole = site.get(f"/v1/assets/{asset['id']}").json()
    assert whole["picture"] is not None
    assert whole["asset"]["price"] == 9900


def test_failed_save_is_reported_and_keeps_the_input(watched: Watched, page: Page) -> None:
    watched.expected = ("422",)
    page.locator("#add").click()
    page.locator("#edit [name=title]").fill("wrong")
    page.locator("#edit [name=picture]").set_input_files(
        {"name": "broken.png", "mimeType": "image/png", "buffer": b"broken"}
    )
    page.locator("#edit [type=submit]").click()
    expect(page.locator("#edit-message")).to_contain_text("picture")
    expect(page.locator("#edit [name=title]")).to_have_value("wrong")
    expect(page.locator("#edit [type=submit]")).to_be_enabled()


def test_copies_are_shown_and_deleted_ads_disappear(page: Page, site: httpx.Client) -> None:
    image = (FIXTURES / "images/copperfinch-mug-bare.webp").read_bytes()
    files = {"image": ("x.webp", image)}
    form = {"asset": '{"title": "Twin of the mug"}'}
    assert site.put("/v1/assets/twin", files=files, data=form).status_code == 201
    look_for(page, "Twin of the mug")
    page.locator(".card .title").filter(has_text="Twin of the mug").click()
    expect(page.locator("#strip-duplicates")).to_contain_text("identical · copperfinch-mug-bare")
    answered(page, page.get_by_role("button", name="Delete", exact=True).click)
    expect(page.locator("#asset")).to_be_hidden()
    expect(page.locator("#message")).to_have_text("Deleted Twin of the mug")
    expect(page.locator(".card").filter(has_text="Twin of the mug")).to_have_count(0)
    assert site.get("/v1/assets/twin").status_code == 404


@pytest.fixture(scope="module")
def keyed(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[httpx.Client, dict[str, str]]]:
    """A server with keys, and one key for each role."""
    data = tmp_path_factory.mktemp("keyed") / "data"
    data.mkdir()
    keys = {role: KeyFile(data / KEYS).add(f"a-{role}", role) for role in ("read", "write")}
    with serving(data) as (client, _):
        yield client, keys


def test_page_actions_depend_on_the_key(
    browser: Browser, keyed: tuple[httpx.Client, dict[str, str]]
) -> None:
    site, keys = keyed
    watched = Watched(browser, str(site.base_url).rstrip("/"))
    watched.expected = ("401",)
    page = watched.open("/")
    expect(page.locator("#sign-in")).to_be_visible()
    page.locator("#key").fill("hs_wrong")
    page.locator("#key").press("Enter")
    expect(page.locator("#sign-in-message")).to_contain_text("Unknown API key")
    for role, offered in (("read", False), ("write", True)):
        page.locator("#key").fill(keys[role])
        answered(page, lambda: page.locator("#key").press("Enter"))
        expect(page.locator("#sign-in")).to_be_hidden()
        expect(page.locator("#add")).to_be_visible(visible=offered)
        assert keys[role] not in page.content()
        page.get_by_role("button", name=f"Sign out (a-{role})").click()
        expect(page.locator("#sign-in")).to_be_visible()
    watched.close()
