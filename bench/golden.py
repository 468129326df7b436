"""Record the results of a service for many searches, and compare two such records.

Run it around a change that must not change results: record with the code before, record with the
code after over a copy of the same data folder, compare. Each query of a query file is searched
plainly (explained, with facets), for its second page, filtered, sorted, as a phrase, as text only,
with its last word excluded, with plain rank fusion, and like its first hit.

    python bench/golden.py record DATA_DIR QUERIES.jsonl BEFORE.jsonl.gz --facet brand
    python bench/golden.py compare BEFORE.jsonl.gz AFTER.jsonl.gz
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import re
import subprocess
import sys
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

TOLERANCE = 1e-9
"""Numbers that differ by less are equal."""
VOLATILE = {"cursor", "request_id", "reused", "search_id", "token", "took_ms"}
"""Keys that differ between two runs of the same code."""
Search = tuple[str, dict[str, Any]]
"""What a search is called, and its body."""


@contextmanager
def service(data_dir: Path) -> Iterator[httpx.Client]:
    """A client of a service over the folder; the service ends with the context."""
    command = [sys.executable, "-m", "hybrid_search", "serve", "--port", "0", "--json"]
    options = ["--data-dir", str(data_dir)]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout is not None else ""
            with httpx.Client(base_url=json.loads(line)["address"], timeout=600) as client:
                while client.get("/readyz").status_code != 200:
                    time.sleep(0.2)
                yield client
        finally:
            process.terminate()


def searches(
    query: dict[str, Any], folder: Path, facets: Sequence[str]
) -> Generator[Search, dict[str, Any], None]:
    """The searches of a query, in order. Each is sent the answer to the one before."""
    base: dict[str, Any] = {"q": query["text"]} if query.get("text") else {}
    if query.get("image"):
        base["image"] = b64encode((folder / query["image"]).read_bytes()).decode()
    plain = {**base, "size": 20, "explain": True, "facets": list(facets)}
    first = yield "plain", plain
    if first.get("cursor"):
        yield "second page", {**plain, "cursor": first["cursor"]}
    for name in facets:
        if values := first.get("facets", {}).get(name):
            yield f"filtered by {name}", {**base, "filter": {name: values[0]["value"]}}
    yield "sorted", {**base, "sort": "-id", "size": 20}
    if "q" in base:
        yield from of_words(base, facets)
    if hits := first.get("hits"):
        like = [{"id": hits[0]["id"]}]
        yield "like its first hit", {"like": like, "filter": {"has_picture": True}}


def of_words(base: dict[str, Any], facets: Sequence[str]) -> Iterator[Search]:
    """The searches that need words."""
    text = base["q"]
    if '"' not in text:
        yield "phrase", {**base, "q": f'"{text}"'}
    yield "text only", {**base, "mode": "text", "facets": list(facets)}
    yield "without its last word", {**base, "q": f"{text} -{text.split()[-1]}"}
    yield "plain rank fusion", {**base, "fusion": "rrf", "explain": True, "offset": 5}


def record(data_dir: Path, queries: Path, out: Path, facets: Sequence[str]) -> None:
    """Write one line per search: query, kind, status and the answer without volatile keys."""
    lines = [json.loads(line) for line in queries.read_text("utf-8").splitlines() if line.strip()]
    with service(data_dir) as client, gzip.open(out, "wt", encoding="utf-8") as file:
        for query in lines:
            asked = searches(query, queries.parent, facets)
            step = next(asked, None)
            while step is not None:
                kind, body = step
                reply = client.post("/v1/search", json=body)
                answer = reply.json()
                kept = {key: value for key, value in answer.items() if key not in VOLATILE}
                name = query.get("qid") or query["text"]
                entry = {"query": name, "kind": kind, "status": reply.status_code, "answer": kept}
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")
                try:
                    step = asked.send(answer)
                except StopIteration:
                    step = None


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Where two values differ; keys that are new are no difference."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in after:
                yield from differences(value, after[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}: missing"
    elif isinstance(before, list) and isinstance(after, list):
        if len(before) != len(after):
            yield f"{path}: {len(before)} entries, now {len(after)}"
        for place, (one, other) in enumerate(zip(before, after, strict=False)):
            yield from differences(one, other, f"{path}[{place}]")
    elif isinstance(before, float) and isinstance(after, int | float):
        if not math.isclose(before, after, rel_tol=0, abs_tol=TOLERANCE):
            yield f"{path}: {before!r}, now {after!r}"
    elif before != after:
        yield f"{path}: {before!r}, now {after!r}"


def compare(before: Path, after: Path, shown: int = 20) -> int:
    """Print what differs, and return in how many answers."""
    places: Counter[str] = Counter()
    changed = total = 0
    with (
        gzip.open(before, "rt", encoding="utf-8") as old,
        gzip.open(after, "rt", encoding="utf-8") as new,
    ):
        for one, other in zip(old, new, strict=True):
            total += 1
            was = json.loads(one)
            found = list(differences(was, json.loads(other)))
            places.update(re.sub(r"\d+", "", line.split(":")[0]) for line in found)
            changed += bool(found)
            if found and changed <= shown:
                print(was["query"], was["kind"], "|", "; ".join(found[:3]))
    for place, count in sorted(places.items()):
        print(f"{count:8} {place}")
    print(f"{total} answers, {changed} of them changed")
    return changed


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    modes = parser.add_subparsers(dest="mode", required=True)
    recording = modes.add_parser("record")
    recording.add_argument("data_dir", type=Path)
    recording.add_argument("queries", type=Path)
    recording.add_argument("out", type=Path)
    recording.add_argument("--facet", action="append", default=[], help="a field to count, filter")
    comparing = modes.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    options = parser.parse_args()
    if options.mode == "compare":
        return min(1, compare(options.before, options.after))
    record(options.data_dir, options.queries, options.out, options.facet)
    return 0


if __name__ == "__main__":
    sys.exit(main())
