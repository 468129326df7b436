"""Keys, roles, sessions, rate limits and their logs, with real server processes."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import pytest

from hybrid_search.api.app import api, create_app
from hybrid_search.api.auth import COOKIE, check_address, is_loopback
from hybrid_search.core.errors import InvalidConfig
from hybrid_search.engine.access.api_keys import KEYS, ROLES, KeyFile, Role
from hybrid_search.engine.factory import open_engine
from hybrid_search.settings.settings import load_settings
from tests.api.conftest import COMMAND, serving
from tests.progress import HANG_SECONDS, until

OPERATIONS = [operation for operation in api(1000) if operation.role is not None]
Keys = dict[Role, str]
SETTINGS = {
    "SERVER__CORS_ORIGINS": '["https://ads.example"]',
    "SERVER__LOG_REQUESTS": "true",
    "SERVER__LOG_LEVEL": "debug",
}


def make_keys(data: Path) -> Keys:
    return {role: KeyFile(data / KEYS).add(f"some-{role}", role) for role in ROLES}


def log_of(data: Path) -> Path:
    return data.parent / "log"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Keys]:
    data = tmp_path_factory.mktemp("access") / "data"
    return data, make_keys(data)


@pytest.fixture(scope="module")
def guarded(kept: tuple[Path, Keys]) -> Iterator[httpx.Client]:
    """A client, without a key, of a server that asks for one and logs all it can."""
    with (
        log_of(kept[0]).open("wb") as log,
        serving(kept[0], log=log, settings=SETTINGS) as (client, _),
    ):
        yield client


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Keys]]:
    """A client of a server that takes five requests a minute, and its keys."""
    data = tmp_path_factory.mktemp("limited") / "data"
    keys = make_keys(data)
    with serving(data, settings={"SERVER__RATE_PER_MINUTE": "5"}) as (client, _):
        yield client, keys


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def path_of(operation_path: str) -> str:
    return re.sub(r"\{id:path\}", "some-id", operation_path)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.name)
def test_every_operation_requires_a_key_and_role(
    guarded: httpx.Client, kept: tuple[Path, Keys], operation: object
) -> None:
    method, path, role = operation.method, path_of(operation.path), operation.role  # type: ignore[attr-defined]
    refused = guarded.request(method, path)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert refused.json()["title"] == "Unauthorized"
    if role != "read":
        # Wrong keys are rate limited, which must not affect the tests below.
        assert guarded.request(method, path, headers=bearer("hs_wrong")).status_code == 401
    for lower in ROLES[: ROLES.index(role)]:
        answer = guarded.request(method, path, headers=bearer(kept[1][lower]))
        assert answer.status_code == 403
        assert f"needs {role}" in answer.json()["detail"]
    answer = guarded.request(method, path, headers={"X-API-Key": kept[1][role]})
    assert answer.status_code not in {401, 403, 421, 429}


def test_routes_open_without_a_key(guarded: httpx.Client) -> None:
    for path in ("/healthz", "/readyz", "/", "/static/search.js", "/openapi.json"):
        assert guarded.get(path).status_code == 200


def test_a_browser_signs_in_and_out(guarded: httpx.Client, kept: tuple[Path, Keys]) -> None:
    with httpx.Client(base_url=guarded.base_url, timeout=HANG_SECONDS) as browser:
        assert browser.post("/v1/session", json={"key": "hs_wrong"}).status_code == 401
        signed = browser.post("/v1/session", json={"key": kept[1]["write"]})
        assert signed.json() == {"name": "some-write", "role": "write", "keyed": True}
        cookie = signed.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert browser.get("/v1/search", params={"q": "a"}).status_code == 200
        body = {"title": "from the page"}
        other = {"Origin": "http://elsewhere.example"}
        assert browser.put("/v1/assets/page", json=body, headers=other).status_code == 403
        own = {"Origin": str(browser.base_url).rstrip("/")}
        assert browser.put("/v1/assets/page", json=body, headers=own).status_code == 201
        assert browser.delete("/v1/session").status_code == 204
        assert browser.get("/v1/search", params={"q": "a"}).status_code == 401


def test_a_removed_key_is_rejected_at_once(guarded: httpx.Client, kept: tuple[Path, Keys]) -> None:
    file = KeyFile(kept[0] / KEYS)
    secret = file.add("guest", "read")
    assert guarded.get("/v1/status", headers=bearer(secret)).status_code == 200
    assert file.remove("guest")
    assert guarded.get("/v1/status", headers=bearer(secret)).status_code == 401


def test_writes_are_logged_with_the_key(guarded: httpx.Client, kept: tuple[Path, Keys]) -> None:
    write, admin = bearer(kept[1]["write"]), bearer(kept[1]["admin"])
    named = {**write, "X-Request-Id": "my-own-id"}
    answer = guarded.put("/v1/assets/logged", json={"title": "logged"}, headers=named)
    assert answer.headers["x-request-id"] == "my-own-id"
    guarded.put("/v1/assets/bad", json={"wrong": 1}, headers=write)
    lines = b'{"id": "b1", "title": "bulk"}\n{"id": "b2"}\n'
    ndjson = {**write, "Content-Type": "application/x-ndjson"}
    guarded.post("/v1/assets", content=lines, headers=ndjson)
    guarded.delete("/v1/assets/logged", headers=write)
    deleted, bulk, bad, put = guarded.get("/v1/audit?size=4", headers=admin).json()["lines"]
    assert (put["action"], put["subject"], put["status"]) == ("putAsset", "logged", 201)
    assert (put["key"], put["role"], put["request_id"]) == ("some-write", "write", "my-own-id")
    assert (bad["subject"], bad["status"], bad["failure"]) == ("bad", None, "InvalidAsset")
    assert (bulk["indexed"], bulk["skipped"]) == (1, 1)
    assert (deleted["action"], deleted["status"]) == ("deleteAsset", 204)


def test_invalid_request_id_is_ignored(guarded: httpx.Client) -> None:
    answer = guarded.get("/v1/status", headers={"X-Request-Id": "a b\tc" + "x" * 80})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_security_headers_are_set(guarded: httpx.Client) -> None:
    for path in ("/", "/v1/status", "/static/page.css"):
        headers = guarded.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
    assert guarded.get("/v1/status").headers["cache-control"] == "no-store"
    preflight = {"Origin": "http://other.example", "Access-Control-Request-Method": "GET"}
    closed = guarded.options("/v1/search", headers=preflight)
    assert "access-control-allow-origin" not in closed.headers


def test_rate_limit_is_by_key(limited: tuple[httpx.Client, Keys]) -> None:
    client, keys = limited
    codes = [client.get("/v1/status", headers=bearer(keys["read"])).status_code for _ in range(7)]
    assert codes == [200] * 5 + [429] * 2
    refused = client.get("/v1/status", headers=bearer(keys["read"]))
    assert int(refused.headers["retry-after"]) >= 1
    assert "more than 5 " in refused.json()["detail"]
    assert client.get("/v1/status", headers=bearer(keys["admin"])).status_code == 200
    assert client.get("/healthz").status_code == 200


def test_wrong_keys_are_rate_limited(limited: tuple[httpx.Client, Keys]) -> None:
    client, keys = limited
    codes = {client.get("/v1/status", headers=bearer(f"hs_{n}")).status_code for n in range(30)}
    assert codes == {401, 429}
    assert client.get("/v1/status", headers=bearer(keys["write"])).status_code == 200


def test_cors_only_for_listed_origins(guarded: httpx.Client, kept: tuple[Path, Keys]) -> None:
    for origin, allowed in (("https://ads.example", True), ("https://other.example", False)):
        answer = guarded.get("/v1/status", headers={"Origin": origin, **bearer(kept[1]["read"])})
        assert (answer.headers.get("access-control-allow-origin") == origin) is allowed


def test_no_key_is_written_to_logs_or_files(guarded: httpx.Client, kept: tuple[Path, Keys]) -> None:
    """Not in the log, the key file or the audit log."""
    data, keys = kept
    guarded.get("/v1/search", params={"q": "private words"}, headers=bearer("hs_wrong"))
    guarded.get("/v1/search?q=private+words", headers=bearer(keys["admin"]))
    guarded.get("/v1/status", headers={"X-API-Key": keys["read"]})
    guarded.get("/v1/status", params={"key": keys["write"]})
    guarded.post("/v1/session", json={"key": keys["write"]})
    guarded.get("/v1/status", headers={"Cookie": f"{COOKIE}={keys['write']}"})
    stored = guarded.put("/v1/assets/a", json={"title": "x"}, headers=bearer(keys["write"]))
    request = stored.headers["x-request-id"]
    until(lambda: request in log_of(data).read_text().rpartition("\n")[0])
    written = log_of(data).read_text().rpartition("\n")[0]
    lines = [json.loads(line) for line in written.splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert len(requests) >= 7
    assert {line["key"] for line in requests} >= {"some-admin", "some-read", None}
    assert all(line["request_id"] and line["timestamp"] for line in requests)
    written += (data / KEYS).read_text() + (data / "audit.jsonl").read_text()
    for secret in (*keys.values(), "hs_wrong", "private words", "private+words"):
        assert secret not in written


def test_key_file_is_private_and_damage_rejects_all(tmp_path: Path) -> None:
    keys = make_keys(tmp_path)
    path = tmp_path / KEYS
    assert path.stat().st_mode & 0o777 == 0o600
    assert KeyFile(path).owner(keys["write"]) == KeyFile(path).keys()["some-write"]
    path.write_text(path.read_text().replace("read", "admin"))
    with open_engine(load_settings(tmp_path), write=True) as engine:
        app = create_app(engine)

        async def check() -> None:
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as c:
                for headers in ({}, bearer(keys["admin"])):
                    answer = await c.get("/v1/status", headers=headers)
                    assert answer.status_code == 503
                    assert "keys.json" in answer.json()["detail"]

        anyio.run(check)


def test_without_keys_only_loopback_is_served(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    assert "no API keys" in check_address(settings)
    wide = settings.model_copy(
        update={"server": settings.server.model_copy(update={"host": "0.0.0.0"})}
    )
    with pytest.raises(InvalidConfig, match=r"server.host: 0.0.0.0 .* keys add"):
        check_address(wide)
    make_keys(tmp_path)
    assert check_address(wide) == ""
    assert [is_loopback(h) for h in ("127.0.0.9", "::1", "[::1]", "localhost", "a.localhost")] == [
        True
    ] * 5
    assert not any(map(is_loopback, ("0.0.0.0", "10.0.0.1", "evil.example", "", "::")))


def test_without_keys_foreign_host_names_are_rejected(client: httpx.Client) -> None:
    answer = client.get("/v1/status", headers={"Host": "evil.example"})
    assert answer.status_code == 421
    assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 200


def test_keys_are_managed_by_commands(tmp_path: Path) -> None:
    def run(*words: str) -> tuple[int, str]:
        command = [*COMMAND, "keys", *words, "--data-dir", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout or done.stderr

    code, out = run("add", "marketing", "--role", "write", "--json")
    made = json.loads(out)
    assert (code, made["name"], made["role"]) == (0, "marketing", "write")
    assert KeyFile(tmp_path / KEYS).owner(made["key"]) is not None
    assert run("add", "marketing")[0] == 2
    assert run("add", "bad name")[0] == 2
    assert [key["name"] for key in json.loads(run("list", "--json")[1])["keys"]] == ["marketing"]
    assert run("remove", "marketing")[0] == 0
    assert run("remove", "marketing")[0] == 2
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [(line["action"], line["subject"]) for line in lines] == [
        ("addKey", "marketing"),
        ("removeKey", "marketing"),
    ]
