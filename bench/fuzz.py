"""Send random requests to a real server; report statuses and memory.

Exits with 1 after a 5xx response or if the server died. Pictures come from a folder.

    python bench/fuzz.py --requests 10000 --pictures FOLDER
"""

from __future__ import annotations

import argparse
import collections
import sys
import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import track

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.api.conftest import serving
from tests.api.fuzzing import Fuzzer, odd_pictures
from tests.api.test_fuzz import check, send


def main() -> None:
    options = arguments()
    fuzzer = Fuzzer(options.seed, odd_pictures(options.pictures))
    statuses: collections.Counter[str] = collections.Counter()
    levels = []
    with (
        tempfile.TemporaryDirectory() as scratch,
        serving(Path(scratch) / "data", settings={"SERVER__LOG_LEVEL": "error"}) as (
            client,
            process,
        ),
    ):
        server = psutil.Process(process)
        for number in track(range(options.requests), console=Console(stderr=True)):
            answer = send(client, asked := fuzzer.request())
            statuses[str(answer.status_code) if answer is not None else "not sent"] += 1
            if answer is not None:
                check(asked, answer)
            if number % (options.requests // 10) == 0:
                levels.append(server.memory_info().rss >> 20)
        time.sleep(1.0)
        levels.append(server.memory_info().rss >> 20)
        assert client.get("/readyz").status_code == 200
    print(f"statuses {dict(sorted(statuses.items()))}")
    print(f"resident memory in MB after every tenth, and at the end: {levels}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
