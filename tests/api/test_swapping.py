"""Another model for an index that a real server serves under load."""

import subprocess
import threading
import time
from pathlib import Path

import httpx

from tests.api.conftest import COMMAND, serving
from tests.tiny_models import folder_model

QUERY = {"q": "red circle", "mode": "vector", "explain": "true"}


def test_a_swap_under_load_fails_no_request_and_mixes_no_models(
    tmp_path: Path, manifest: Path
) -> None:
    data = tmp_path / "data"
    run("ingest", str(manifest), "--data-dir", str(data))
    other = f"local-dir:{folder_model(tmp_path / 'other')}"
    with serving(data) as (client, _):
        before = model_of(client)
        answers: list[tuple[int, tuple[tuple[str, float], ...]]] = []
        ending = threading.Event()

        def search() -> None:
            with httpx.Client(base_url=client.base_url, timeout=60) as own:
                while not ending.is_set():
                    answer = own.get("/v1/search", params=QUERY)
                    answers.append((answer.status_code, cosines(answer)))

        threads = [threading.Thread(target=search) for _ in range(4)]
        for thread in threads:
            thread.start()
        run("model", "use", other, "--data-dir", str(data))
        deadline = time.monotonic() + 120
        while model_of(client) == before and time.monotonic() < deadline:
            time.sleep(0.1)
        swapped = len(answers)
        while len(answers) < swapped + 20 and time.monotonic() < deadline:
            time.sleep(0.05)
        ending.set()
        for thread in threads:
            thread.join()
        assert model_of(client).startswith("local-dir:other@")
        last = answers[-1][1]
        assert {status for status, _ in answers} == {200}
        assert {found for _, found in answers} == {answers[0][1], last}
        assert answers[0][1] != last
        run("model", "rollback", "--data-dir", str(data))
        while model_of(client) != before and time.monotonic() < deadline:
            time.sleep(0.1)
        assert cosines(client.get("/v1/search", params=QUERY)) == answers[0][1]


def cosines(answer: httpx.Response) -> tuple[tuple[str, float], ...]:
    hits = answer.json().get("hits", [])
    return tuple((hit["id"], part["score"]) for hit in hits for part in hit["lists"])


def model_of(client: httpx.Client) -> str:
    return str(client.get("/v1/status").json()["encoding"]["model"])


def run(*words: str) -> None:
    done = subprocess.run([*COMMAND, *words, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
