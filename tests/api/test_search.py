"""Searches over HTTP, by parameters and by every kind of body."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

SEARCH = "/v1/search"
Parameters = dict[str, str | int | Sequence[str]]


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [hit["id"] for hit in answer.json()["hits"]]


@pytest.fixture(scope="module")
def red(manifest: Path) -> bytes:
    return (manifest.parent / "red.png").read_bytes()


def test_parameter_and_json_searches_are_equal(client: httpx.Client) -> None:
    by_parameter = client.get(SEARCH, params={"q": '"여름 신발"', "explain": "true"})
    by_body = client.post(SEARCH, json={"q": '"여름 신발"', "explain": True})
    assert ids(by_parameter) == ids(by_body)
    hit = by_parameter.json()["hits"][0]
    assert (hit["id"], hit["phrases"]) == ("phrase", 1)
    assert [part["list"] for part in hit["lists"]] == [
        "phrase",
        "lexical",
        "text_to_image",
        "copy_semantic",
    ]
    assert hit["score"] == pytest.approx(sum(part["contribution"] for part in hit["lists"]))


def test_picture_query_works_in_every_form(client: httpx.Client, red: bytes) -> None:
    encoded = base64.b64encode(red).decode()
    raw = client.post(SEARCH, content=red, headers={"content-type": "image/png"})
    assert ids(raw)[:2] == ["red", "red-again"]
    assert ids(client.post(SEARCH, json={"image": encoded})) == ids(raw)
    assert ids(client.post(SEARCH, json={"like": [{"image": encoded}]})) == ids(raw)
    assert ids(client.post(SEARCH, files={"image": ("x.png", red)})) == ids(raw)


def test_words_and_a_picture_together(client: httpx.Client, red: bytes) -> None:
    form = client.post(SEARCH, files={"image": red}, data={"q": "summer", "size": "2"})
    assert {r["list"] for r in form.json()["lists"]} == {
        "lexical",
        "text_to_image",
        "copy_semantic",
        "image_to_image",
    }
    raw = client.post(
        SEARCH, params={"q": "summer", "size": 2}, content=red, headers={"content-type": "image/*"}
    )
    assert ids(form) == ids(raw)
    assert len(ids(form)) == 2


def test_similar_and_like_exclude_the_example(client: httpx.Client) -> None:
    found = ids(client.get("/v1/assets/red/similar"))
    assert found[0] == "red-again"
    assert "red" not in found
    assert ids(client.get(SEARCH, params={"like": "red"})) == found


def test_unlike_reverses_the_order(client: httpx.Client) -> None:
    found = ids(client.get(SEARCH, params={"unlike": "red"}))
    assert found.index("blue") < found.index("red-again")


def test_description_and_picture_are_combined(client: httpx.Client) -> None:
    like = [{"id": "blue", "weight": 0.1}, {"text": "a red circle", "weight": 2}]
    body = client.post(SEARCH, json={"like": like, "explain": True}).json()
    assert [report["list"] for report in body["lists"]] == ["image_to_image"]
    assert {hit["id"] for hit in body["hits"]} == {"red", "red-again"}
    refused = client.post(SEARCH, json={"like": [{"id": "red", "text": "red"}]})
    assert (refused.status_code, "one of image, id and text" in refused.text) == (422, True)


def test_min_similarity_drops_candidates(client: httpx.Client) -> None:
    everything = ids(client.get(SEARCH, params={"like": "red"}))
    near = client.get(SEARCH, params={"like": "red", "min_similarity": 0.9999})
    assert (len(everything), ids(near)) == (2, ["red-again"])
    wrong = client.get(SEARCH, params={"like": "red", "min_similarity": 2})
    assert (wrong.status_code, "min_similarity" in wrong.text) == (422, True)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["brand:sky"], {"english", "blue"}),
        (["brand:sky", "brand:하늘"], {"english", "blue", "phrase", "apart"}),
        (["price:..10000"], {"phrase"}),
        (['{"not": {"has_picture": true}}', "brand:sky"], {"english"}),
    ],
)
def test_filters(client: httpx.Client, conditions: list[str], expected: set[str]) -> None:
    assert set(ids(client.get(SEARCH, params={"filter": conditions}))) == expected


def test_pages_contain_every_hit_once(client: httpx.Client) -> None:
    whole = ids(client.get(SEARCH, params={"q": "summer", "size": 100}))
    paged, cursor = [], None
    for _ in range(len(whole) + 1):
        more: dict[str, str] = {"cursor": cursor} if cursor else {}
        page = client.get(SEARCH, params={"q": "summer", "size": 1, **more})
        paged += ids(page)
        if (cursor := page.json()["cursor"]) is None:
            break
    assert paged == whole
    assert len(set(whole)) == len(whole) > 1


def test_fusion_settings_of_one_request(client: httpx.Client) -> None:
    asked: Parameters = {
        "q": "summer",
        "rank_constant": 2,
        "weight.lexical": 3,
        "window.text_to_image": 1,
    }
    by_parameter = client.get(SEARCH, params=asked).json()
    lists = {"lexical": {"weight": 3}, "text_to_image": {"window": 1}}
    by_body = client.post(SEARCH, json={"q": "summer", "rank_constant": 2, "lists": lists}).json()
    assert by_parameter["lists"] == by_body["lists"]
    assert by_parameter["hits"][0]["score"] == pytest.approx(3 / (2 + 1), abs=0.34)
    found = {r["list"]: r for r in by_parameter["lists"]}
    assert (found["lexical"]["weight"], found["text_to_image"]["found"]) == (3.0, 1)


def test_highlights_refer_to_the_text(client: httpx.Client) -> None:
    hit = client.get(SEARCH, params={"q": "신발", "highlight": "true"}).json()["hits"][0]
    span = hit["highlights"][0]
    assert hit["asset"][span["field"]][span["start"] : span["end"]] == "신발"
    assert "lists" not in hit


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"size": "0"}, "size = '0'"),
        ({"size": "201"}, "200"),
        ({"offset": "10000"}, "10,000"),
        ({"q": "x" * 513}, "512"),
        ({"mode": "magic"}, "mode"),
        ({"colour": "red"}, "'colour' is not a parameter"),
        ({"q": ["a", "b"]}, "given twice"),
        ({"filter": "brand"}, "FIELD:VALUE"),
        ({"filter": "{"}, "JSON"),
        ({"cursor": "????"}, "cursor"),
        ({"weight.magic": "1"}, "magic"),
        ({"weight.lexical": "-1"}, "lists.lexical"),
        ({"rank_constant": "nan"}, "rank_constant"),
    ],
)
def test_invalid_parameters_are_named(
    client: httpx.Client, parameters: dict[str, Any], said: str
) -> None:
    answer = client.get(SEARCH, params=parameters)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == 422
    assert said in problem["detail"]


@pytest.mark.parametrize(
    ("media", "body", "status"),
    [
        ("application/json", b"{", 422),
        ("application/json", b"[]", 422),
        ("application/json", b'{"q": 5}', 422),
        ("application/json", b"[" * 100_000, 422),
        ("application/json", b'{"q": "\\ud800"}', 422),
        ("application/json", b'{"size": ' + b"9" * 5000 + b"}", 422),
        ("application/json", b'{"image": "no base64"}', 422),
        ("text/plain", b"red", 415),
        ("", b"red", 415),
        ("image/png", b"not a picture", 422),
        ("image/svg+xml", b"<svg/>", 422),
        ("application/json", b" " * 200_001, 413),
        ("multipart/form-data; boundary=x", b"--x\r\nbroken", 400),
        ("multipart/form-data", b"no boundary", 400),
    ],
)
def test_bodies(client: httpx.Client, media: str, body: bytes, status: int) -> None:
    answer = client.post(SEARCH, content=body, headers={"content-type": media})
    assert answer.status_code == status, answer.text
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


def test_body_without_content_length_is_limited(client: httpx.Client) -> None:
    chunks = (b"x" * 50_000 for _ in range(10))
    answer = client.post(SEARCH, content=chunks, headers={"content-type": "image/png"})
    assert answer.status_code == 413
    assert "200,000 bytes" in answer.json()["detail"]


def test_unknown_example_gives_404(client: httpx.Client) -> None:
    for answer in (
        client.get("/v1/assets/nobody/similar"),
        client.get(SEARCH, params={"like": "nobody"}),
    ):
        assert answer.status_code == 404
        assert "nobody" in answer.json()["detail"]


def test_suggestions(client: httpx.Client) -> None:
    found = client.get("/v1/suggest", params={"q": "ㅅㅂ"}).json()
    assert {"text": "신발", "assets": 2} in found["completions"]
    meant = client.get("/v1/suggest", params={"q": "summr"}).json()
    assert meant == {"completions": [], "did_you_mean": ["summer"]}
    for wrong in ({}, {"q": "a", "size": "0"}, {"q": "a", "colour": "red"}, {"q": "x" * 513}):
        assert client.get("/v1/suggest", params=wrong).status_code == 422


def test_response_has_did_you_mean(client: httpx.Client) -> None:
    assert client.get(SEARCH, params={"q": "summr sale"}).json()["did_you_mean"] == ["summer sale"]
    assert client.get(SEARCH, params={"q": "summer sale"}).json()["did_you_mean"] == []


def test_facets_are_counted_over_all_matches_not_the_window(client: httpx.Client) -> None:
    asked: Parameters = {
        "q": "여름",
        "mode": "text",
        "facet": ["brand", "price"],
        "size": 1,
    }
    narrow = client.get(SEARCH, params={**asked, "window.lexical": 1}).json()
    assert (narrow["candidates"], narrow["totals"]) == (1, {"matched": 2, "related": 0})
    assert narrow["facet_totals"]["brand"] == {"other": 0, "missing": 0}
    assert narrow["facets"] == {
        "brand": [{"value": "하늘", "assets": 2}],
        "price": [{"value": 19900, "assets": 1}, {"value": 9900, "assets": 1}],
    }
    by_body = client.post(SEARCH, json={"q": "여름", "facets": ["brand"], "mode": "text"}).json()
    assert by_body["facets"] == {"brand": [{"value": "하늘", "assets": 2}]}


def test_sort_orders_all_matches(client: httpx.Client) -> None:
    rising = ids(client.get(SEARCH, params={"sort": "price"}))
    falling = ids(client.get(SEARCH, params={"sort": "-price"}))
    assert (rising[:2], falling[:2]) == (["phrase", "apart"], ["apart", "phrase"])
    assert rising[2:] == falling[2:]
    found = client.get(SEARCH, params={"q": "신발", "sort": "-price", "window.lexical": 1}).json()
    assert [hit["id"] for hit in found["hits"]][:2] == ["apart", "phrase"]
    page = client.get(SEARCH, params={"sort": "price", "size": 1}).json()
    second = client.get(SEARCH, params={"sort": "price", "size": 1, "cursor": page["cursor"]})
    assert ids(second) == ["apart"]
    other = client.get(SEARCH, params={"sort": "-price", "cursor": page["cursor"]})
    assert other.status_code == 422
    assert client.get(SEARCH, params={"sort": "-"}).status_code == 422


def test_search_is_fused_again_by_its_token(client: httpx.Client) -> None:
    asked = {"q": "summer shoes", "explain": "true"}
    first = client.get(SEARCH, params=asked).json()
    assert first["reused"] is False
    again = client.get(
        SEARCH, params={**asked, "reuse": first["token"], "weight.lexical": 0, "rank_constant": 5}
    ).json()
    assert again["reused"] is True
    assert {r["list"]: r["weight"] for r in again["lists"]}["lexical"] == 0
    assert again["token"] != first["token"]
    refused = client.get(SEARCH, params={"q": "other", "reuse": first["token"]})
    assert refused.status_code == 422
    assert "reuse" in refused.json()["detail"]


def test_rank_is_explained_in_every_form_of_search(client: httpx.Client, red: bytes) -> None:
    path = "/v1/assets/red/explain"
    by_parameter = client.get(path, params={"q": "red circle"}).json()
    assert by_parameter == client.post(path, json={"q": "red circle"}).json()
    assert (by_parameter["rank"], by_parameter["admitted"]) == (1, True)
    assert {other["setting"] for other in by_parameter["otherwise"]} == {
        *(f"weight.{part['list']}" for part in by_parameter["lists"]),
        "rank_constant",
    }
    by_form = client.post(path, files={"image": red}, data={"q": "circle"}).json()
    assert "image_to_image" in [part["list"] for part in by_form["hit"]["lists"]]
    filtered = client.get(path, params={"q": "red", "filter": "brand:Sky"}).json()
    assert (filtered["rank"], filtered["admitted"]) == (None, False)
    assert client.get("/v1/assets/none/explain", params={"q": "red"}).status_code == 404


def test_form_pictures_have_weights(client: httpx.Client, red: bytes) -> None:
    towards = ids(client.post(SEARCH, files={"image": red}))
    away = ids(client.post(SEARCH, files={"image.-1": red}))
    assert towards[0] == "red"
    assert away[-1] in {"red", "red-again"}
    refused = client.post(SEARCH, files={"image.many": red})
    assert refused.status_code == 422
    assert "image.WEIGHT" in refused.json()["detail"]
