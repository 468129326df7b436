"""Changing the model of a real server under load."""

import shutil
import subprocess
import threading
from pathlib import Path

import httpx

from tests.api.conftest import COMMAND, serving
from tests.progress import HANG_SECONDS, until
from tests.tiny_models import folder_model

QUERY = {"q": "red circle", "mode": "vector", "explain": "true"}


def test_switch_under_load_fails_no_request_and_mixes_no_models(
    tmp_path: Path, indexed: Path
) -> None:
    data = Path(shutil.copytree(indexed, tmp_path / "data"))
    other = f"local-dir:{folder_model(tmp_path / 'other')}"
    with serving(data) as (client, _):
        before = model_of(client)
        answers: list[tuple[int, tuple[tuple[str, float], ...]]] = []
        ending = threading.Event()

        def search() -> None:
            with httpx.Client(base_url=client.base_url, timeout=HANG_SECONDS) as own:
                while not ending.is_set():
                    answer = own.get("/v1/search", params=QUERY)
                    answers.append((answer.status_code, cosines(answer)))

        threads = [threading.Thread(target=search) for _ in range(2)]
        for thread in threads:
            thread.start()
        run("model", "use", other, "--data-dir", str(data))
        until(lambda: model_of(client) != before)
        swapped = len(answers)
        until(lambda: len(answers) >= swapped + 20)
        ending.set()
        for thread in threads:
            thread.join()
        assert model_of(client).startswith("local-dir:other@")
        last = answers[-1][1]
        assert {status for status, _ in answers} == {200}
        assert {found for _, found in answers} == {answers[0][1], last}
        assert answers[0][1] != last
        run("model", "rollback", "--data-dir", str(data))
        until(lambda: model_of(client) == before)
        assert cosines(client.get("/v1/search", params=QUERY)) == answers[0][1]


def cosines(answer: httpx.Response) -> tuple[tuple[str, float], ...]:
    hits = answer.json().get("hits", [])
    return tuple((hit["id"], part["score"]) for hit in hits for part in hit["lists"])


def model_of(client: httpx.Client) -> str:
    return str(client.get("/v1/status").json()["encoding"]["model"])


def run(*words: str) -> None:
    done = subprocess.run([*COMMAND, *words, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
