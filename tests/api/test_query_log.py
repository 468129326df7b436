"""The query log over HTTP: opt-in and anonymous."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import progress
from tests.api.conftest import serving

SETTINGS = {
    "FEEDBACK__LOG": "true",
    "FEEDBACK__CHALLENGER__NAME": "plain",
    "FEEDBACK__CHALLENGER__METHOD": "rrf",
}


@pytest.fixture(scope="module")
def kept(
    data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, Path]]:
    """A client of a two-process service with a query log, and its folder."""
    copy = tmp_path_factory.mktemp("logged") / "data"
    shutil.copytree(data, copy)
    with serving(copy, "--workers", "2", settings=SETTINGS) as (client, _):
        yield client, copy


def until(client: httpx.Client, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Poll the feedback status until the condition holds; the log is written asynchronously."""
    told: dict[str, Any] = {}

    def reached() -> bool:
        told.update(client.get("/v1/feedback").json())
        return holds(told)

    progress.until(reached, told)
    return told


def test_requested_searches_and_clicks_are_logged(kept: tuple[httpx.Client, Path]) -> None:
    client, folder = kept
    named = []
    for _ in range(8):
        answer = client.get("/v1/search", params={"q": "summer shoes", "log": True}).json()
        assert [note["code"] for note in answer["note_codes"]] == ["not_calibrated"]
        clicked = {"search_id": answer["search_id"], "asset": answer["hits"][0]["id"]}
        taken = client.post("/v1/clicks", json=clicked)
        assert (taken.status_code, taken.json()) == (202, clicked)
        named.append(answer["search_id"])
    assert len(set(named)) == 8
    client.get("/v1/search", params={"q": "not kept"})
    told = until(client, lambda told: told["searches"] == 8 and not told["interleaving"][0]["ties"])
    [mixed] = told["interleaving"]
    assert (mixed["challenger"], mixed["searches"], told["log"]) == ("plain", 8, True)
    assert mixed["won_by_configured"] + mixed["won_by_challenger"] == 8
    assert mixed["winner"] is None
    with closing(sqlite3.connect(f"file:{folder / 'catalog.sqlite'}?mode=ro", uri=True)) as raw:
        rows = raw.execute("SELECT * FROM searches").fetchall()
    assert {row[2] for row in rows} == {"summer shoes"}
    assert {row[0] for row in rows} == set(named)


def test_same_search_id_gives_the_same_interleaving(kept: tuple[httpx.Client, Path]) -> None:
    client, _ = kept
    first = client.post("/v1/search", json={"q": "여름 sale circle", "size": 2}).json()
    again = {"q": "여름 sale circle", "size": 2, "search_id": first["search_id"]}
    for _ in range(4):
        same = client.post("/v1/search", json=again).json()
        assert [hit["id"] for hit in same["hits"]] == [hit["id"] for hit in first["hits"]]
    # The response does not show which ranking a hit is from.
    assert "team" not in str(first)
    further = client.get("/v1/search", params={"q": "여름 sale circle", "cursor": first["cursor"]})
    shown = {hit["id"] for hit in first["hits"]}
    assert further.status_code == 200
    assert shown.isdisjoint(hit["id"] for hit in further.json()["hits"])


def test_nothing_is_logged_without_a_log(client: httpx.Client) -> None:
    answer = client.get("/v1/search", params={"q": "shoes", "log": True, "search_id": "a" * 8})
    assert answer.json()["search_id"] is None
    assert answer.json()["note_codes"][-1]["code"] == "log_disabled"
    refused = client.post("/v1/clicks", json={"search_id": "a" * 8, "asset": "red"})
    assert refused.status_code == 403
    assert "feedback.log = true" in refused.json()["detail"]
    assert client.get("/v1/feedback").json() == {"log": False, "searches": 0, "interleaving": []}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"search_id": "short", "asset": "red"}, "search_id"),
        ({"search_id": "a" * 65, "asset": "red"}, "search_id"),
        ({"search_id": "a-b-c-d-e-f", "asset": "red"}, "search_id"),
        ({"search_id": "a" * 8}, "asset"),
        ({"search_id": "a" * 8, "asset": "x" * 513}, "asset"),
    ],
)
def test_invalid_click_is_rejected(client: httpx.Client, body: dict[str, Any], said: str) -> None:
    refused = client.post("/v1/clicks", json=body)
    assert refused.status_code == 422
    assert said in refused.json()["detail"]


def test_click_with_other_media_type_is_rejected(client: httpx.Client) -> None:
    assert client.post("/v1/clicks", content=b"search_id=aaaaaaaa").status_code == 415
