"""Hostile manifests: no file outside the folder is opened, nothing blocks or exhausts memory."""

import json
import os
import socket
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from hybrid_search.core.errors import InvalidInput
from hybrid_search.ingest.manifests import MAX_COLUMNS, MAX_LINE, Row, Skipped, read_assets
from tests.progress import HANG_SECONDS

LIMIT = 1_000
SECRET = b"\x89PNG secret"
_opened: list[str] = []
_watching = [False]


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching[0] and event == "open" and isinstance(arguments[0], str | bytes):
        _opened.append(os.fsdecode(arguments[0]))


sys.addaudithook(_note)


@contextmanager
def opened() -> Iterator[list[str]]:
    """Record the paths of all files that this process opens."""
    _opened.clear()
    _watching[0] = True
    try:
        yield _opened
    finally:
        _watching[0] = False


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A manifest folder with traps in it and a secret beside it."""
    (tmp_path / "secret.png").write_bytes(SECRET)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "a.png").write_bytes(SECRET)
    root = tmp_path / "ads"
    (root / "deep").mkdir(parents=True)
    (root / "good.png").write_bytes(b"good")
    (root / "deep" / "good.png").write_bytes(b"deep")
    (root / "large.png").write_bytes(bytes(LIMIT + 1))
    links = {
        "out.png": "../secret.png",
        "absolute.png": str(tmp_path / "secret.png"),
        "folder": "../secrets",
        "root": "/",
        "loop.png": "loop.png",
        "ping.png": "pong.png",
        "pong.png": "ping.png",
        "nowhere.png": "nothing.png",
        "chain.png": "out.png",
        "zero.png": "/dev/zero",
        "environ.png": "/proc/self/environ",
        "itself": ".",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket.png"))
    return root


HOSTILE: list[Any] = [
    "../secret.png",
    "../ads/../secret.png",
    "deep/../../secret.png",
    "./../secret.png",
    "..//secret.png",
    "../secrets/a.png",
    "../../../../../../../../etc/passwd",
    "deep/../deep/../../secrets/../secret.png",
    "itself/../../secret.png",
    "out.png",
    "chain.png",
    "absolute.png",
    "folder/a.png",
    "folder/../secret.png",
    "folder",
    "root/etc/passwd",
    "root/proc/self/environ",
    "root/dev/zero",
    "loop.png",
    "ping.png",
    "nowhere.png",
    "zero.png",
    "environ.png",
    "pipe.png",
    "socket.png",
    "large.png",
    "deep",
    ".",
    "..",
    "/",
    " ",
    "/etc/passwd",
    "//etc/passwd",
    "/dev/zero",
    "/dev/stdin",
    "/dev/fd/0",
    "/proc/self/environ",
    "/proc/self/fd/0",
    "/proc/self/cwd/README.md",
    "/proc/self/root/etc/passwd",
    "~/.ssh/id_rsa",
    "~root/secret.png",
    "$HOME/secret.png",
    "${PWD}/../secret.png",
    "good.png/../../secret.png",
    "good.png\x00.txt",
    "\x00",
    "good.png\n",
    "..\\secret.png",
    "..\\..\\secret.png",
    "C:\\Windows\\win.ini",
    "\\\\server\\share\\a.png",
    "%2e%2e/secret.png",
    "..%2fsecret.png",
    "\uff0e\uff0e/secret.png",
    "\u2025/secret.png",
    "..\u2215secret.png",
    "gооd.png",
    "\ud800.png",
    "file:///etc/passwd",
    "file://secret.png",
    "http://127.0.0.1:1/a.png",
    "https://example.com/a.png",
    "ftp://example.com/a.png",
    "HTTP://EXAMPLE.COM/a.png",
    "data:image/png;base64,iVBORw0KGgo=",
    "javascript:alert(1)",
    "jar:file:///a.jar!/a.png",
    "a/" * 2_000 + "a.png",
    "a" * 300,
    "a" * 5_000,
    "../" * 2_000 + "secret.png",
    "*.png",
    "g??d.png",
    "|cat /etc/passwd",
    "good.png; cat /etc/passwd",
    0,
    True,
    1e308,
    [],
    ["good.png"],
    {"path": "../secret.png"},
    {"bytes": "../secret.png"},
]


def test_number_of_hostile_paths() -> None:
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:40])
def test_a_hostile_path_is_refused_and_nothing_else_is_opened(root: Path, name: Any) -> None:
    manifest = root / "ads.jsonl"
    lines = [{"id": "bad", "image": name}, {"id": "good", "image": "deep/good.png"}]
    manifest.write_text("\n".join(map(json.dumps, lines)), "ascii")
    with opened() as paths:
        items = list(read_assets(manifest, LIMIT))
        pictures = [i.picture() for i in items if isinstance(i, Row) and i.picture is not None]
    assert pictures == [b"deep"]
    refused = items[0]
    assert isinstance(refused, Skipped)
    assert refused.id in {"bad", "line 1"}
    assert len(refused.reason) < 400
    assert {Path(path).resolve() for path in paths} == {manifest, root / "deep" / "good.png"}


def test_a_file_that_becomes_a_link_or_a_pipe_is_not_followed(root: Path) -> None:
    manifest = root / "ads.jsonl"
    names = ["good.png", "deep/good.png"]
    manifest.write_text("\n".join(json.dumps({"id": n, "image": n}) for n in names))
    first, second = (item for item in read_assets(manifest, LIMIT) if isinstance(item, Row))
    assert first.picture is not None
    assert second.picture is not None
    (root / "good.png").unlink()
    (root / "good.png").symlink_to("../secret.png")
    (root / "deep" / "good.png").unlink()
    os.mkfifo(root / "deep" / "good.png")
    for picture in (first.picture, second.picture):
        with pytest.raises((InvalidInput, OSError)):
            picture()


def test_file_that_has_grown_is_rejected(root: Path) -> None:
    manifest = root / "ads.jsonl"
    manifest.write_text(json.dumps({"id": "a", "image": "good.png"}))
    (row,) = (item for item in read_assets(manifest, LIMIT) if isinstance(item, Row))
    (root / "good.png").write_bytes(bytes(LIMIT + 1))
    assert row.picture is not None
    with pytest.raises(InvalidInput, match="1,000"):
        row.picture()


def test_manifest_that_is_no_file_is_rejected_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    (tmp_path / "loop.jsonl").symlink_to("loop.jsonl")
    (tmp_path / "folder.parquet").mkdir()
    for name in ("pipe.jsonl", "zero.csv", "loop.jsonl", "none.jsonl", "a" * 300 + ".jsonl"):
        with pytest.raises(InvalidInput) as refused:
            list(read_assets(tmp_path / name, LIMIT))
        assert "path: " in str(refused.value)
        assert len(str(refused.value)) < 400


ABSURD_LINES = {
    "deep": b'{"id":"a","title":' + b"[" * 100_000,
    "digits": b'{"id":"a","price":' + b"9" * 5_000 + b"}",
    "exponent": b'{"id":"a","fields":{"x":1e999999}}',
    "nan": b'{"id":"a","fields":{"x":NaN}}',
    "surrogate": b'{"id":"\\ud800"}',
    "latin": b'{"id":"caf\xe9"}',
    "zeros": bytes(200),
    "text": b"id,title",
    "two": b'{"id":"a"}{"id":"b"}',
    "long": b'{"id":"a","title":"' + b"x" * MAX_LINE + b'"}',
    "name": json.dumps({"id": "x" * 100_000}).encode(),
    "keys": json.dumps({"id": "a", **{f"k{n}": n for n in range(50_000)}}).encode(),
    "tags": json.dumps({"id": "a", "tags": ["x"] * 100_000}).encode(),
}


@pytest.mark.parametrize("line", ABSURD_LINES.values(), ids=ABSURD_LINES)
def test_invalid_line_is_reported_and_the_next_is_read(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "ads.jsonl"
    path.write_bytes(line + b'\n{"id":"good"}\n')
    bad, good = read_assets(path, LIMIT)
    assert isinstance(bad, Skipped)
    assert len(bad.id) <= 512
    assert len(bad.reason) < 1_000
    assert isinstance(good, Row)
    assert good.asset.id == "good"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("name", ["ads.jsonl", "ads.csv"])
def test_another_encoding_gives_no_asset_and_a_reason(
    tmp_path: Path, name: str, encoding: str
) -> None:
    text = '{"id":"a"}\n' if name.endswith("jsonl") else "id,title\na,b\n"
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    reasons = []
    try:
        reasons = [i.reason for i in read_assets(path, LIMIT) if isinstance(i, Skipped)]
    except InvalidInput as refused:
        reasons = [str(refused)]
    assert reasons
    assert all(reasons)


def test_a_decomposed_name_is_the_same_file(tmp_path: Path) -> None:
    name = unicodedata.normalize("NFC", "광고.png")
    (tmp_path / name).write_bytes(b"ad")
    path = tmp_path / "ads.jsonl"
    path.write_text(json.dumps({"id": "a", "image": name}))
    (row,) = read_assets(path, LIMIT)
    assert isinstance(row, Row)
    assert row.picture is not None
    assert row.picture() == b"ad"


def test_a_table_of_too_many_columns_is_refused(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(100_000)]
    (tmp_path / "wide.csv").write_text("id," + ",".join(names) + "\na" + ",x" * 100_000 + "\n")
    table = pa.table({name: ["x"] for name in ["id", *names[:MAX_COLUMNS]]})
    parquet.write_table(table, tmp_path / "wide.parquet")
    for name in ("wide.csv", "wide.parquet"):
        with pytest.raises(InvalidInput, match=f"limit is {MAX_COLUMNS:,}"):
            list(read_assets(tmp_path / name, LIMIT))


def test_unclosed_quote_ends_at_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "ads.csv"
    path.write_text('id,title\ngood,fine\nbad,"' + f"{'x' * 99}\n" * 2_000 + "after,fine\n")
    items = list(read_assets(path, LIMIT))
    rows = [item.asset.id for item in items if isinstance(item, Row)]
    assert (rows[0], rows[-1]) == ("good", "after")
    assert any(isinstance(item, Skipped) and "limit" in item.reason for item in items)


def test_record_over_the_limit_loses_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "ads.csv"
    cells = ",".join(["x" * 99_000] * 12)
    path.write_text(f"id,title\nfirst,fine\nbad,{cells}\nlast,fine\n")
    items = list(read_assets(path, LIMIT))
    rows = [item.asset.id for item in items if isinstance(item, Row)]
    assert (rows[0], rows[-1]) == ("first", "last")
    assert "bad" not in rows
    assert any(isinstance(item, Skipped) and f"{MAX_LINE:,}" in item.reason for item in items)


BOMB = """
import sys, resource
from pathlib import Path
from hybrid_search.ingest.manifests import read_assets, Row
list(read_assets(Path(sys.argv[2]), 1000))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
read = sum(isinstance(item, Row) for item in read_assets(Path(sys.argv[1]), 1000))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
sys.stdout.write(f"{read} {(after - before) // 1024}")
"""


def test_a_small_file_that_unpacks_to_gigabytes_takes_little_memory(tmp_path: Path) -> None:
    rows = 20_000
    value = "x" * 200_000
    ids = pa.array([f"a{number}" for number in range(rows)])
    body = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([value]))
    parquet.write_table(pa.table({"id": ids, "body": body}), tmp_path / "bomb.parquet")
    parquet.write_table(pa.table({"id": ["a"], "body": ["x"]}), tmp_path / "small.parquet")
    assert (tmp_path / "bomb.parquet").stat().st_size < 1_000_000
    asked = [sys.executable, "-c", BOMB, str(tmp_path / "bomb.parquet")]
    asked.append(str(tmp_path / "small.parquet"))
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=HANG_SECONDS)
    assert done.returncode == 0, done.stderr
    _, grown = map(int, done.stdout.split())
    assert grown < 300, f"{grown} MB for {rows * len(value) >> 20} MB"


def test_command_reports_unreadable_input_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "ads.jsonl"
    path.write_text('{"id":"a"}\n', "utf-16")
    command = [sys.executable, "-m", "hybrid_search.cli.main", "ingest", str(path)]
    command += ["--data-dir", str(tmp_path / "data")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=HANG_SECONDS
    )
    assert done.returncode == 2
    assert "UTF-16" in done.stderr
    assert "Traceback" not in done.stderr
