"""Searching in the page: words, phrases, suggestions, pictures, boards, facets, paging, notes."""

import re

import httpx
import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.page.browsing import Watched, answered, look_for, settled, shown_ids, titles

DROP = """async ([path, kind]) => {
  const blob = await (await fetch(path)).blob();
  const data = new DataTransfer();
  data.items.add(new File([blob], "dropped.webp", { type: blob.type }));
  const init = { bubbles: true, cancelable: true };
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { ...init, clipboardData: data })
    : new DragEvent(kind, { ...init, dataTransfer: data });
  document.body.dispatchEvent(event);
}"""
MUG = "/v1/assets/copperfinch-mug-bare/image"


@pytest.mark.parametrize(("words", "found"), [("강아지 간식", "강아지"), ("coffee mug", "Coffee")])
def test_results_update_while_typing(page: Page, words: str, found: str) -> None:
    page.locator("#q").press_sequentially(words, delay=20)
    expect(page.locator(".card .title").first).to_contain_text(found)
    expect(page.locator(".card mark").first).to_be_visible()
    assert page.url.count("q=") == 1


def test_typing_adds_one_history_entry(page: Page) -> None:
    look_for(page, "coffee")
    look_for(page, "강아지")
    answered(page, page.go_back)
    expect(page).to_have_url(re.compile("q=coffee"))


@pytest.mark.parametrize("typed", ["강ㅇ", "ㄱㅇㅈ", "rkddkw"])
def test_incomplete_syllables_are_completed(page: Page, typed: str) -> None:
    box = page.locator("#q")
    box.fill(typed)
    option = page.locator("#completions [role=option]").filter(has_text=re.compile("^강아지"))
    expect(option.first).to_be_visible()
    expect(box).to_have_attribute("aria-expanded", "true")
    box.press("ArrowDown")
    chosen = page.locator("#completions [aria-selected=true]")
    expect(box).to_have_attribute("aria-activedescendant", chosen.get_attribute("id") or "none")
    words = chosen.locator("span").inner_text()
    answered(page, lambda: box.press("Enter"))
    assert box.input_value() == words
    expect(page.locator("#completions")).to_be_hidden()


def test_enter_during_composition_does_not_submit(page: Page) -> None:
    look_for(page, "coffee")
    page.locator("#q").evaluate(
        """(box) => box.dispatchEvent(new KeyboardEvent("keydown",
             { key: "ArrowDown", isComposing: true, bubbles: true }))"""
    )
    expect(page.locator("#completions [aria-selected=true]")).to_have_count(0)


def test_phrase_ranks_first(page: Page) -> None:
    look_for(page, '"수제 간식"')
    assert "수제 간식" in titles(page)[0]
    page.locator(".card .why").first.click()
    expect(page.locator("#side .tier")).to_contain_text("exact phrase")


def test_phrase_without_matches_is_reported(page: Page) -> None:
    look_for(page, '"강아지 로켓 여행"')
    expect(page.locator("#notes")).to_contain_text("No ad contains the exact phrase")
    expect(page.locator(".card").first).to_be_visible()


def test_did_you_mean_can_be_chosen(page: Page) -> None:
    look_for(page, "cofee")
    meant = page.locator("#meant button").first
    expect(meant).to_have_text("coffee")
    answered(page, meant.click)
    expect(page.locator("#q")).to_have_value("coffee")


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_picture_search_can_be_shared(watched: Watched, page: Page, kind: str) -> None:
    answered(page, lambda: page.evaluate(DROP, [MUG, kind]))
    assert "mug" in " ".join(titles(page)[:2]).lower()
    expect(page.locator(".example .name")).to_have_text("your picture")
    assert "#picture=" in page.url
    other = watched.open(page.url.removeprefix(watched.address), locale="ko-KR")
    assert shown_ids(other) == shown_ids(page)
    expect(other.locator(".example .name")).to_have_text("내 이미지")


def test_invalid_picture_is_reported(page: Page) -> None:
    file: FilePayload = {"name": "notes.png", "mimeType": "image/png", "buffer": b"no picture"}
    page.locator("#picture").set_input_files(file)
    expect(page.locator("#message")).to_contain_text("notes.png cannot be opened")
    expect(page.locator("#board")).to_be_hidden()


def test_board_accepts_likes_dislikes_texts_and_weights(watched: Watched, page: Page) -> None:
    look_for(page, "coffee")
    answered(page, page.get_by_role("button", name="Similar to").first.click)
    before = shown_ids(page)
    answered(page, page.get_by_role("button", name="Unlike").nth(3).click)
    page.locator("#board-text").fill("a summer beach")
    answered(page, lambda: page.locator("#board-text").press("Enter"))
    expect(page.locator(".example")).to_have_count(3)
    expect(page.locator(".example.unlike")).to_have_count(1)
    assert shown_ids(page) != before

    slider = page.locator(".example input").nth(2)
    answered(page, lambda: slider.press("ArrowRight"))
    expect(page.locator(".example output").nth(2)).to_have_text("+1.25")
    assert "like_text.1.25=a+summer+beach" in page.url
    other = watched.open(page.url.removeprefix(watched.address))
    assert shown_ids(other) == shown_ids(page)
    expect(other.locator(".example output").nth(1)).to_have_text("−1")

    answered(page, page.get_by_role("button", name="Remove “a summer beach”").click)
    answered(page, page.locator("#board-clear").click)
    expect(page.locator("#board")).to_be_hidden()
    assert page.url.endswith("?q=coffee")


def test_board_link_is_copied(page: Page) -> None:
    answered(page, page.get_by_role("button", name="Similar to").first.click)
    page.locator("#share").click()
    expect(page.locator("#share")).to_have_text("Copied")
    assert page.evaluate("() => navigator.clipboard.readText()") == page.url


def facet(page: Page, name: str) -> dict[str, int]:
    group = page.locator("#facets fieldset").filter(has=page.get_by_text(name, exact=True))
    expect(group.locator(".option").first).to_be_visible()
    texts = group.locator(".option").all_inner_texts()
    return {text.rsplit("\n", 1)[0]: int(text.rsplit("\n", 1)[1]) for text in texts}


def test_facets_narrow_and_count(page: Page, site: httpx.Client) -> None:
    brands = facet(page, "Brand")
    name, count = next(iter(brands.items()))
    answered(page, page.get_by_label(name).first.click)
    found = site.get("/v1/search", params={"filter": f"brand:{name}", "size": 1}).json()
    assert found["candidates"] == count
    expect(page.locator("#heading")).to_have_text(f"{count} ads")
    # Other values of the field can still be added.
    again = facet(page, "Brand")
    assert again == brands
    other = list(again)[1]
    answered(page, page.get_by_label(other, exact=False).first.click)
    expect(page.locator("#heading")).to_have_text(f"{count + again[other]} ads")
    expect(page.locator("#chips .chip")).to_have_count(2)
    answered(page, page.get_by_role("button", name=f"Remove Brand: {name}").click)
    expect(page.locator("#heading")).to_have_text(f"{again[other]} ads")
    answered(page, page.locator("#chips .chip").click)
    answered(page, page.locator(".card .facts button").first.click)
    expect(page.locator("#chips .chip")).to_have_count(1)


def test_dates_and_widths_filter(page: Page, site: httpx.Client) -> None:
    def fill(selector: str, value: str) -> None:
        page.locator(selector).fill(value)
        page.locator(selector).dispatch_event("change")

    answered(page, lambda: fill("#from", "2026-06-10"))
    answered(page, lambda: fill("#until", "2026-06-20"))
    wanted: dict[str, int | list[str]] = {
        "filter": ["ends:2026-06-10..", "starts:..2026-06-20"],
        "size": 200,
    }
    running = site.get("/v1/search", params=wanted).json()
    assert 0 < running["candidates"] < 100
    expect(page.locator("#heading")).to_have_text(f"{running['candidates']} ads")
    for hit in running["hits"]:
        assert hit["asset"]["starts"][:10] <= "2026-06-20"
        assert hit["asset"]["ends"][:10] >= "2026-06-10"
    answered(page, page.get_by_role("button", name="Clear all filters").click)
    answered(page, lambda: page.locator("#width").select_option("600"))
    wide = site.get("/v1/search", params={"filter": "width:600..", "size": 1}).json()
    expect(page.locator("#heading")).to_have_text(f"{wide['candidates']} ads")


def test_sort_and_mode_can_be_chosen(page: Page) -> None:
    look_for(page, "커피")
    by_words = answered(page, lambda: page.locator("#mode").select_option("text")).json()
    assert [report["list"] for report in by_words["lists"]] == ["lexical"]
    answered(page, lambda: page.locator("#sort").select_option("starts"))
    dates = [text[:10] for text in page.locator(".card .when").all_inner_texts()]
    assert dates == sorted(dates)
    assert len(dates) > 1


def test_paging_to_the_end_repeats_and_skips_nothing(page: Page, site: httpx.Client) -> None:
    look_for(page, "sale")
    while page.locator("#more").is_visible():
        shown = page.locator(".card").count()
        page.mouse.wheel(0, 20_000)
        page.wait_for_function(
            "(shown) => document.getElementById('more').hidden"
            " || document.querySelectorAll('.card').length > shown",
            arg=shown,
        )
    expect(page.locator("#end")).to_be_visible()
    ids = shown_ids(page)
    whole = site.get("/v1/search", params={"q": "sale", "size": 200}).json()
    assert len(ids) == len(set(ids)) == whole["candidates"]
    assert ids == [f"hit-{hit['ordinal']}" for hit in whole["hits"]]


def test_empty_result_is_explained(page: Page) -> None:
    answered(page, page.locator("#facets input").first.click)
    look_for(page, "+zzzzqqq")
    expect(page.locator("#heading")).to_have_text("No ads found")
    expect(page.locator("#message")).to_contain_text("Try other words")
    answered(page, page.locator("#rescue button").click)
    expect(page.locator("#chips")).to_be_hidden()


def test_no_good_match_is_reported(page: Page) -> None:
    look_for(page, "분자 생물학 학술지 논문 투고")
    expect(page.locator("#no-match")).to_contain_text("No ad matches")
    expect(page.locator(".card").first).to_be_visible()


def test_related_ads_stand_below_a_divider(page: Page) -> None:
    answer = look_for(page, "puppy").json()
    assert answer["totals"]["matched"] == 4
    expect(page.locator("#heading")).to_have_text("4 ads match")
    expect(page.locator("#hits .divider")).to_have_text("More, loosely related")
    kinds = page.locator("#hits > li").evaluate_all("(all) => all.map((one) => one.className)")
    assert kinds.index("divider") == 4
    assert kinds.count("divider") == 1


def test_failure_is_reported_and_can_be_retried(watched: Watched, page: Page) -> None:
    watched.expected = ("Failed to load resource",)
    page.route("**/v1/search?*", lambda route: route.abort())
    page.locator("#q").fill("coffee")
    expect(page.locator("#heading")).to_have_text("Something went wrong")
    expect(page.locator("#message")).to_have_text("The service does not respond.")
    page.unroute("**/v1/search?*")
    answered(page, page.locator("#rescue button").click)
    expect(page.locator(".card .title").first).to_contain_text(re.compile("coffee", re.IGNORECASE))


def test_refused_request_is_reported(watched: Watched) -> None:
    watched.expected = ("422",)
    page = watched.open("/?q=coffee&rank_constant=0")
    expect(page.locator("#message")).to_contain_text("rank_constant")


def test_language_follows_the_browser_and_can_be_changed(watched: Watched) -> None:
    page = watched.open("/?q=coffee", locale="ko-KR")
    assert page.evaluate("() => document.documentElement.lang") == "ko"
    expect(page.locator("#heading")).to_contain_text("검색 결과")
    with page.expect_navigation():
        page.locator("#language").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    settled(page)
    expect(page.get_by_role("button", name="Search", exact=True)).to_be_visible()


def test_hostile_text_is_escaped(page: Page, site: httpx.Client) -> None:
    look_for(page, "script alert")
    title = page.locator(".card .title").filter(has_text="<script>").first
    expect(title).to_be_visible()
    assert page.locator("main script, main b, main img[onerror]").count() == 0
    title.click()
    expect(page.locator("#asset h2")).to_contain_text('<script>alert("sale")</script>')
    page.keyboard.press("Escape")
    look_for(page, "Right-to-left marks")
    expect(page.locator(".card").first).to_be_visible()
    width = page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= page.evaluate("() => innerWidth")


def test_a_text_of_ten_thousand_characters_fits_the_layout(page: Page, site: httpx.Client) -> None:
    body = '<b>"마라톤"\u202e' + "긴카피" * 3_332
    assert len(body) >= 10_000
    stored = site.put("/v1/assets/endless", json={"title": "끝없는 카피", "body": body})
    assert stored.status_code in {200, 201}
    look_for(page, "끝없는 카피")
    card = page.locator(".card").filter(has_text="끝없는 카피").first
    expect(card).to_be_visible()
    assert (card.bounding_box() or {"height": 9999})["height"] < 600
    card.locator(".title").click()
    expect(page.locator("#asset dd").first).to_contain_text(body[-30:])
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
