"""Judgments over HTTP."""

import httpx
import pytest

JUDGMENTS = "/v1/judgments"


def test_judgment_round_trips(client: httpx.Client) -> None:
    made = client.put(
        JUDGMENTS, json={"query": "circle", "asset": "red", "grade": 3, "judge": "kim"}
    )
    assert made.status_code == 200
    told = made.json()
    assert (told["judge"], told["grade"], told["source"]) == ("kim", 3, "page")
    client.put(JUDGMENTS, json={"query": "circle", "asset": "red", "grade": 1, "judge": "kim"})
    client.put(JUDGMENTS, json={"query": "circle", "asset": "red", "grade": 1, "judge": "lee"})
    found = client.get(JUDGMENTS, params={"query": "circle"}).json()
    assert [(one["judge"], one["grade"]) for one in found["judgments"]] == [("kim", 1), ("lee", 1)]
    assert found["agreement"] == [{"judges": ["kim", "lee"], "pairs": 1, "same": 1.0, "kappa": 1.0}]
    mine = client.get(JUDGMENTS, params={"query": "circle", "judge": "lee"}).json()
    assert [one["judge"] for one in mine["judgments"]] == ["lee"]
    assert client.get(JUDGMENTS, params={"query": "other"}).json()["judgments"] == []


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"query": "q", "asset": "red", "grade": 4}, 422, "grade"),
        ({"query": "", "asset": "red", "grade": 1}, 422, "query"),
        ({"query": "q", "asset": "red"}, 422, "grade"),
        ({"query": "q", "asset": "none", "grade": 1}, 404, "none"),
        ({"query": "q", "asset": "red", "grade": 1, "more": 1}, 422, "more"),
    ],
)
def test_invalid_judgment_is_rejected(
    client: httpx.Client, body: dict[str, object], status: int, said: str
) -> None:
    refused = client.put(JUDGMENTS, json=body)
    assert refused.status_code == status
    assert said in refused.json()["detail"]
    assert client.get(JUDGMENTS, params={"query": "q"}).json()["judgments"] == []


def test_other_media_type_is_rejected(client: httpx.Client) -> None:
    assert client.put(JUDGMENTS, content=b"x").status_code == 415
