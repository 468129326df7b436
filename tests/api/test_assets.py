"""Assets over HTTP: stored, read and deleted, one by one and in bulk."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from PIL import Image

NDJSON = {"content-type": "application/x-ndjson"}


def found(client: httpx.Client, q: str) -> list[str]:
    answer = client.get("/v1/search", params={"q": q, "mode": "text"})
    return [hit["id"] for hit in answer.json()["hits"]]


@pytest.fixture
def red(manifest: Path) -> bytes:
    return (manifest.parent / "red.png").read_bytes()


@pytest.mark.parametrize("name", ["plain", "a/b c?d#e%.png", "강아지 🐶", "x" * 500])
def test_asset_life_cycle(client: httpx.Client, name: str, red: bytes) -> None:
    path = f"/v1/assets/{quote(name, safe='')}"
    body = {"title": "윈터세일 코트", "image": base64.b64encode(red).decode(), "price": 10}
    created = client.put(path, json=body)
    assert (created.status_code, created.json()["result"]) == (201, "indexed")
    assert created.json()["stored"]["asset"] == {"id": name, "title": "윈터세일 코트", "price": 10}
    assert client.put(path, json=body).json()["result"] == "unchanged"
    assert name in found(client, "코트")

    updated = client.put(path, json={"title": "봄 자켓"})
    assert (updated.status_code, updated.json()["result"]) == (200, "updated")
    assert name not in found(client, "코트")
    assert client.get(path).json()["picture"] is None
    assert client.get(f"{path}/image").status_code == 404

    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == client.delete(path).status_code == 404
    assert name not in found(client, "자켓")


def test_form_with_record_and_picture(client: httpx.Client, red: bytes) -> None:
    form = {"asset": json.dumps({"title": "양식"})}
    answer = client.put("/v1/assets/form", data=form, files={"image": red})
    assert answer.status_code == 201
    assert answer.json()["stored"]["picture"]["width"] == 200
    assert client.delete("/v1/assets/form").status_code == 204


def test_pictures_are_served_in_original_and_thumbnail_size(
    client: httpx.Client, red: bytes
) -> None:
    original = client.get("/v1/assets/red/image")
    assert (original.content, original.headers["content-type"]) == (red, "image/png")
    small = client.get("/v1/assets/red/thumbnail")
    assert small.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(small.content)).size == (200, 160)
    assert "sandbox" in small.headers["content-security-policy"]


def test_cached_picture_is_not_sent_again(client: httpx.Client) -> None:
    first = client.get("/v1/assets/red/thumbnail")
    again = client.get("/v1/assets/red/thumbnail", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "no-cache" in first.headers["cache-control"]
    digest = client.get("/v1/assets/red").json()["picture"]["digest"]
    kept = client.get("/v1/assets/red/thumbnail", params={"v": digest[:16]})
    assert "immutable" in kept.headers["cache-control"]
    other = client.get("/v1/assets/red/thumbnail", params={"v": "0" * 16})
    assert "no-cache" in other.headers["cache-control"]


def test_invalid_line_in_bulk_does_not_stop_others(client: httpx.Client, red: bytes) -> None:
    picture = base64.b64encode(red).decode()
    rows = [
        json.dumps({"id": "bulk-1", "title": "벌크 하나", "image": picture}),
        "{",
        json.dumps({"id": "bulk-2", "title": "벌크 둘"}),
        json.dumps({"id": "bulk-3", "image": "bm90IGEgcGljdHVyZQ=="}),
        json.dumps({"id": "bulk-4"}),
        json.dumps({"id": "bulk-5", "title": "벌크 셋", "image": "../../etc/passwd"}),
        json.dumps({"id": "bulk-2", "title": "noch einmal"}),
    ]

    def chunks() -> Iterator[bytes]:
        text = "\n".join(rows).encode()
        yield from (text[at : at + 37] for at in range(0, len(text), 37))

    report = client.post("/v1/assets", content=chunks(), headers=NDJSON).json()
    assert (report["indexed"], report["updated"], report["unchanged"]) == (2, 0, 0)
    reasons = {part["id"]: part["reason"] for part in report["skipped"]}
    assert set(reasons) == {"line 2", "bulk-3", "bulk-4", "bulk-5", "bulk-2"}
    assert "not a picture" in reasons["bulk-3"]
    assert "neither an image nor any text" in reasons["bulk-4"]
    assert "base64" in reasons["bulk-5"]
    assert set(found(client, "벌크")) == {"bulk-1", "bulk-2"}
    for name in ("bulk-1", "bulk-2"):
        assert client.delete(f"/v1/assets/{name}").status_code == 204


def test_bulk_may_exceed_the_body_limit(client: httpx.Client) -> None:
    line = json.dumps({"id": "large", "title": "x" * 900, "body": "y" * 900}).encode() + b"\n"
    lines = line.replace(b"large", b"large") * 150
    assert len(lines) > 200_000
    report = client.post("/v1/assets", content=lines, headers=NDJSON).json()
    assert (report["indexed"], len(report["skipped"])) == (1, 149)
    assert client.delete("/v1/assets/large").status_code == 204


@pytest.mark.parametrize(
    ("path", "media", "body", "status", "said"),
    [
        ("x", "application/json", b"[1]", 422, "JSON object"),
        ("x", "application/json", b"{}", 422, "neither an image nor any text"),
        ("x", "application/json", b'{"id": "y", "title": "t"}', 422, "id of the path"),
        ("x", "application/json", b'{"title": 5}', 422, "title"),
        ("x", "application/json", b'{"image": "AAAA"}', 422, "not a picture"),
        ("x", "application/json", b'{"title": "' + b"t" * 2000 + b'"}', 422, "1000"),
        ("x", "text/csv", b"id", 415, "application/json"),
        ("x", "application/json", b" " * 200_001, 413, "200,000"),
        ("a/similar", "application/json", b'{"title": "t"}', 422, "must not end in"),
        ("a%0Ab", "application/json", b'{"title": "t"}', 404, "Not Found"),
        ("a%07b", "application/json", b'{"title": "t"}', 422, "control"),
    ],
)
def test_unstorable_asset_is_rejected(  # noqa: PLR0917  a row of the table above
    client: httpx.Client, path: str, media: str, body: bytes, status: int, said: str
) -> None:
    answer = client.put(f"/v1/assets/{path}", content=body, headers={"content-type": media})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]


def test_bulk_accepts_only_json_lines(client: httpx.Client) -> None:
    answer = client.post("/v1/assets", json=[{"id": "a", "title": "t"}])
    assert answer.status_code == 415
    assert "x-ndjson" in answer.json()["detail"]
